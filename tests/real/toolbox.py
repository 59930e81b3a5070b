"""The toolbox image, and pods that run it. Tests use them to try the nodes of a world."""

from rehearsal.control_plane.nodes import Manifest
from rehearsal.images.archive import Image
from tools import debian
from tools.cache import executable

REFERENCE = "honeydue.example/tests/toolbox:1"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
FILES = (
    *(f"/usr/bin/{name}" for name in ("bash", "cat", "id", "sleep", "timeout")),
    *(f"{LIBRARIES}/{name}" for name in ("libc.so.6", "libtinfo.so.6", "libselinux.so.1", "libpcre2-8.so.0")),
    "/lib64/ld-linux-x86-64.so.2",
)


def toolbox_image() -> Image:
    """An image with bash, which can open TCP connections, and with Traefik as an HTTP server that answers /ping."""
    root = debian.root_filesystem("node")
    return Image(
        reference=REFERENCE,
        layers=[
            {path: (root / path.lstrip("/")).resolve() for path in FILES},
            {"/usr/bin/traefik": executable("traefik")},
        ],
        entrypoint=["/usr/bin/bash", "-c"],
        environment={"PATH": "/usr/bin", "LD_LIBRARY_PATH": LIBRARIES},
        user="1000:1000",
    )


def pod(name: str, command: str, *, node: str, **container_fields: object) -> Manifest:
    """A pod on this node that meets the restricted Pod Security Standard, with more fields for its container."""
    container = {
        "name": "main",
        "image": REFERENCE,
        "args": [command],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **container_fields,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }
