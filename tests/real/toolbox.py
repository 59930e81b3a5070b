"""An image to try nodes with, and pods of it."""

from rehearsal.images.archive import Image
from rehearsal.nodes import Manifest
from tools import debian, programs

LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
TOOLBOX = Image(
    reference="honeydue.example/tests/toolbox:1",
    layers=[
        {
            path: (debian.root("node") / path.lstrip("/")).resolve()
            for path in (
                *("/usr/bin/bash", "/usr/bin/cat", "/usr/bin/id", "/usr/bin/sleep", "/usr/bin/timeout"),
                *(f"{LIBRARIES}{name}" for name in ("libc.so.6", "libtinfo.so.6", "libselinux.so.1", "libpcre2-8.so.0")),
                "/lib64/ld-linux-x86-64.so.2",
            )
        },
        {"/usr/bin/traefik": programs.installed(programs.named("traefik")) / "traefik"},
    ],
    entrypoint=["/usr/bin/bash", "-c"],
    environment={"PATH": "/usr/bin", "LD_LIBRARY_PATH": LIBRARIES},
    user="1000:1000",
)
"""A shell that can open connections, and Traefik as an HTTP server that answers /ping."""


def pod(name: str, command: str, *, node: str, **more: object) -> Manifest:
    """A pod on that node, of the restricted standard; `more` goes to its container."""
    container = {
        "name": "main",
        "image": TOOLBOX.reference,
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
