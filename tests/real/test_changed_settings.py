"""Changes of the settings while real nodes run."""

import shutil
from pathlib import Path

from ops import stackfile
from rehearsal.real_nodes.machine import Machine
from rehearsal.world.world import World
from tests.recipes import EXAMPLE

NODE = "ubuntu-8gb-nbg1-3"


def test_up_imports_new_images_and_replaces_the_machine_when_its_address_changes(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml"):
        shutil.copy(EXAMPLE / name, project / name)
    with World(tmp_path / "world", project=project, real_nodes=True) as world:
        machine = Machine(layout=world.layout, hostname=NODE)
        init_process = machine.init_pid()

        stackfile.set_value(project / "Pulumi.prod.yaml", "honeydue:images.web", "0a1b2c3d4e")
        world.up()
        assert "honeydue-web:0a1b2c3d4e" in machine.run("ctr", "--namespace=k8s.io", "images", "ls", "--quiet")
        assert machine.init_pid() == init_process

        stackfile.set_value(project / "Pulumi.prod.yaml", "honeydue:nodes.hetzner3.ipv4", "203.0.113.3")
        world.up()
        assert machine.init_pid() != init_process
        assert "203.0.113.3" in world.kubectl("get", "node", NODE, "--output=jsonpath={.status.addresses}")
