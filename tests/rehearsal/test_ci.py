"""What the workflows run, in a world and beside a Gitea on loopback: with the identities that docs/ci.md makes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.engine.environment import environment
from rehearsal.engine.stack import set_kubeconfig
from rehearsal.layout import CHECKOUT
from rehearsal.world.world import World
from tests.rehearsal.cluster import rolled, snapshot
from tests.rehearsal.operator import ops
from tests.rehearsal.runbook import blocks
from tests.unit import forge
from tests.unit.forge import REPOSITORY, TOKEN, Forge


@pytest.fixture
def settled(production: World) -> Iterator[World]:
    """The world, and the administrator's again afterwards."""
    yield production
    set_kubeconfig(production.layout, production.layout.kubeconfig.read_text())


@pytest.fixture
def gitea() -> Iterator[Forge]:
    with forge.serving() as serving:
        yield serving


def shell(world: World, command: list[str | Path], folder: Path, **extra: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment(world.layout) | extra, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def become(world: World, account: str, folder: Path) -> None:
    """The page's own commands, then a job's own step."""
    (block,) = blocks("ci.md", "Create a kubeconfig for CI")
    assert "account=viewer\n" in block.text
    shell(world, ["bash", "-euc", block.text.replace("account=viewer\n", f"account={account}\n")], folder)
    kubeconfig = (folder / f"{account}.kubeconfig").read_text()
    shell(world, [CHECKOUT / ".gitea" / "set-credentials"], world.project, SETTINGS="kubeconfig", kubeconfig=kubeconfig)


def comment(world: World, gitea: Forge) -> subprocess.CompletedProcess[str]:
    job = {"GITHUB_SERVER_URL": gitea.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}
    return ops(world, "comment", "--stack", "prod", "--pull-request", "7", extra=job)


def test_a_pull_request_is_previewed_by_the_viewer_into_one_comment(
    settled: World, gitea: Forge, tmp_path: Path
) -> None:
    become(settled, "viewer", tmp_path)
    before = snapshot(settled)
    for tag in ("asked-for-1", "asked-for-2"):
        settled.set_config("honeydue:images.web", tag)
        done = comment(settled, gitea)
        assert done.returncode == 0, done.stdout
    (preview,) = gitea.comments[7]
    assert "1 to update." in preview["body"]
    assert "| update | `Deployment::web` |" in preview["body"]
    assert "Monthly cost: EUR 25.47" in preview["body"]
    assert snapshot(settled) == before

    kept = settled.layout.config.read_text()
    settled.set_config("honeydue:nodes.hetzner3", None)
    refused = comment(settled, gitea)
    settled.layout.config.write_text(kept)
    assert refused.returncode == 1
    assert "`Server::hetzner3` would be deleted" in gitea.comments[7][0]["body"]


def test_the_deployer_deploys_it(settled: World, tmp_path: Path) -> None:
    become(settled, "deployer", tmp_path)
    before = snapshot(settled)
    settled.set_config("honeydue:images.web", "deployed-by-ci")
    done = ops(settled, "up", "--stack", "prod", "--yes")
    assert done.returncode == 0, done.stdout
    assert rolled(before, snapshot(settled)) == {"web"}
