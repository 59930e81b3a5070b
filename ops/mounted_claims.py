"""The volume claims that a pod mounts."""

from collections.abc import Sequence

from pydantic import JsonValue

from ops.json_paths import dig


def mounted_claims(pod_spec: JsonValue) -> Sequence[str]:
    """Names of the claims in a pod spec. Empty for a spec without volumes."""
    volumes = dig(pod_spec, "volumes")
    names = (
        (dig(volume, "persistentVolumeClaim", "claimName") for volume in volumes) if isinstance(volumes, list) else ()
    )
    return [name for name in names if isinstance(name, str)]
