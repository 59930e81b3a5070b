"""What a new server does on its first boot. It never reaches a living one: `userData` is ignored there."""

import yaml

from infra.machines.boot import Boot
from infra.schema import Access, ClusterSettings


def user_data(boot: Boot, *, cluster: ClusterSettings, access: Access) -> str:  # noqa: ARG001  # the node's files follow in the next commits
    """Cloud-init user data. At most 32 KiB at Hetzner."""
    return "#cloud-config\n" + yaml.safe_dump({"hostname": boot.hostname, "token": boot.token, "authority": dict(boot.authority)})
