"""The CrossGuard pack, started by the real engine.

The Python language host of this repository cannot start policy packs. The engine starts a pack by itself when it has no
language host for it. The test therefore renames the language of the pack; the pack and the protocol stay the same.
"""

from pathlib import Path

from rehearsal.layout import CHECKOUT
from tests.rehearsal.operator import edit, editable_copy
from tests.rehearsal.templates import EMPTY

LANGUAGE = "rehearsed"


def test_the_engine_runs_the_pack_and_refuses_a_violation(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with EMPTY.clone(tmp_path / "world", project=editable_copy(project)) as world:
        edit(world, "policy/PulumiPolicy.yaml", "name: python", f"name: {LANGUAGE}")
        plugin = (
            world.layout.pulumi_home
            / "plugins"
            / f"analyzer-policy-{LANGUAGE}-v0.0.1"
            / f"pulumi-analyzer-policy-{LANGUAGE}"
        )
        plugin.parent.mkdir(parents=True)
        plugin.write_text(f"#!/bin/sh\nexec {CHECKOUT}/policy/.venv/bin/python {project}/policy\n")
        plugin.chmod(0o755)

        passed = world.pulumi("preview", "--policy-pack", "policy")
        assert "honeydue@v0.0.1 (local: policy)" in passed.stdout

        edit(world, "infra/pods/controllers.py", "max_unavailable=0", "max_unavailable=1")
        refused = world.pulumi("preview", "--policy-pack", "policy", check=False)
        assert refused.returncode != 0
        assert "[mandatory]  no-unavailable-pods  (kubernetes:apps/v1:Deployment: api)" in refused.stdout
        assert "Deployment::api may stop old pods before new ones are ready" in refused.stdout
