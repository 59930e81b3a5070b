"""The CrossGuard pack, started by the real engine.

The language host that is built here cannot start a pack. The engine starts one by itself where it finds no host for the pack's
language, and so it is given a language of its own here; the pack, and what passes between the two, are the same.
"""

from pathlib import Path

from rehearsal.layout import CHECKOUT
from tests.rehearsal.operator import edit, editable_copy
from tests.rehearsal.templates import EMPTY

LANGUAGE = "rehearsed"


def test_the_engine_asks_the_pack_and_obeys_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with EMPTY.clone(tmp_path / "policed", project=editable_copy(project)) as world:
        edit(world, "policy/PulumiPolicy.yaml", "name: python", f"name: {LANGUAGE}")
        starter = (
            world.layout.pulumi_home
            / "plugins"
            / f"analyzer-policy-{LANGUAGE}-v0.0.1"
            / f"pulumi-analyzer-policy-{LANGUAGE}"
        )
        starter.parent.mkdir(parents=True)
        starter.write_text(f"#!/bin/sh\nexec {CHECKOUT}/policy/.venv/bin/python {project}/policy\n")
        starter.chmod(0o755)

        passed = world.pulumi("preview", "--policy-pack", "policy")
        assert "honeydue@v0.0.1 (local: policy)" in passed.stdout

        edit(world, "infra/apps/workload.py", "max_unavailable=0", "max_unavailable=1")
        refused = world.pulumi("preview", "--policy-pack", "policy", check=False)
        assert refused.returncode != 0
        assert "[mandatory]  no-unavailable-pods  (kubernetes:apps/v1:Deployment: api)" in refused.stdout
        assert "Deployment::api may stop old pods before new ones are ready" in refused.stdout
