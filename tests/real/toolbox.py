"""An image to try nodes with, and pods of it."""

from rehearsal.control_plane.nodes import Manifest
from rehearsal.images.archive import Image
from tools import debian, programs

REFERENCE = "honeydue.example/tests/toolbox:1"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
FILES = (
    *(f"/usr/bin/{name}" for name in ("bash", "cat", "id", "sleep", "timeout")),
    *(f"{LIBRARIES}/{name}" for name in ("libc.so.6", "libtinfo.so.6", "libselinux.so.1", "libpcre2-8.so.0")),
    "/lib64/ld-linux-x86-64.so.2",
)


def toolbox_image() -> Image:
    """A shell that can open connections, and Traefik as an HTTP server that answers /ping."""
    root = debian.root("node")
    return Image(
        reference=REFERENCE,
        layers=[
            {path: (root / path.lstrip("/")).resolve() for path in FILES},
            {"/usr/bin/traefik": programs.installed(programs.named("traefik")) / "traefik"},
        ],
        entrypoint=["/usr/bin/bash", "-c"],
        environment={"PATH": "/usr/bin", "LD_LIBRARY_PATH": LIBRARIES},
        user="1000:1000",
    )


def pod(name: str, command: str, *, node: str, **more: object) -> Manifest:
    """A pod on that node, of the restricted standard; `more` goes to its container."""
    container = {
        "name": "main",
        "image": REFERENCE,
        "args": [command],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **more,
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
