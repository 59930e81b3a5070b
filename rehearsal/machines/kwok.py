"""A server of an existing cluster, whose nodes kwok simulates: its first boot adds its Node, as k3s does when it joins.

The simulated cloud calls this module with a verb and the name of the server (rehearsal/clouds/hetzner/power.py). A Node
that exists stays unchanged. Without its machine a Node stays Ready, because kwok keeps all Nodes Ready.
"""

import json
import os
import sys
from pathlib import Path

from rehearsal.control_plane.control_plane import KUBERNETES
from rehearsal.control_plane.kubectl import Kubectl
from rehearsal.control_plane.nodes import Node, kwok_manifests
from rehearsal.layout import Layout
from rehearsal.processes.processes import WORLD_VARIABLE

MACHINE_COMMAND = (sys.executable, "-m", "rehearsal.machines.kwok")
"""It does not contain the world's folder, so that it is also that of a clone."""


def boot(layout: Layout, name: str, *, server_type: str, location: str, ipv4: str) -> None:
    """Adds the Node, unless it exists."""
    kubectl = Kubectl(layout.kubeconfig)
    if not kubectl.run("get", "node", name, "--ignore-not-found", "--output=name"):
        node = Node(hostname=name, ipv4=ipv4, server_type=server_type, location=location)
        kubectl.apply(kwok_manifests([node], kubelet_version=KUBERNETES.version))


if __name__ == "__main__":
    verb, name = sys.argv[1:]
    if verb == "boot":
        server = json.load(sys.stdin)
        server.pop("user_data")
        boot(Layout(Path(os.environ[WORLD_VARIABLE])), name, **server)
