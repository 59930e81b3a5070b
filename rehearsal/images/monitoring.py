"""The images of monitoring, by the references in the stack's settings.

Entry points and users are those of the published images.
"""

from collections.abc import Sequence
from pathlib import Path

from infra.settings.monitoring import MonitoringImages
from rehearsal.images.archive import Image
from rehearsal.images.catalog import full_reference
from rehearsal.images.trust import trusted_authority
from tools import debian
from tools.cache import executable

ROOT, NOBODY = "0", "65534:65534"
LIBRARIES = ("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2")
"""The libraries that Debian's redis_exporter is linked with."""


def program_image(
    reference: str, program: Path, path: str, *, user: str = NOBODY, verifies_servers: bool = False
) -> Image:
    """The image of one program. One that connects to servers outside of the cluster `verifies_servers`."""
    return Image(
        reference=full_reference(reference),
        layers=[{path: program}, *([trusted_authority()] if verifies_servers else [])],
        entrypoint=[path],
        user=user,
    )


def images(references: MonitoringImages) -> Sequence[Image]:
    """All images of monitoring."""
    victoriametrics, exporter = "victoriametrics", debian.root_filesystem("redis-exporter")
    return (
        program_image(
            references.vmagent,
            executable(victoriametrics, "vmagent"),
            "/vmagent-prod",
            user=ROOT,
            verifies_servers=True,
        ),
        program_image(
            references.vmalert,
            executable(victoriametrics, "vmalert"),
            "/vmalert-prod",
            user=ROOT,
            verifies_servers=True,
        ),
        program_image(references.alertmanager, executable("alertmanager"), "/bin/alertmanager", verifies_servers=True),
        program_image(references.node_exporter, executable("node-exporter", "node_exporter"), "/bin/node_exporter"),
        program_image(references.kube_state_metrics, executable("kube-state-metrics"), "/kube-state-metrics"),
        Image(
            reference=full_reference(references.redis_exporter),
            layers=[
                {"/redis_exporter": exporter / "usr/bin/prometheus-redis-exporter"},
                {path: (exporter / path.lstrip("/")).resolve() for path in LIBRARIES},
            ],
            entrypoint=["/redis_exporter"],
            user="59000:59000",
        ),
    )
