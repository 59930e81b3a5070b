"""The commands of the CI workflows work with the service accounts of docs/ci.md and a simulated Gitea."""

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
from tests.unit import fake_gitea
from tests.unit.fake_gitea import REPOSITORY, TOKEN, FakeGitea


@pytest.fixture
def world(production: World) -> Iterator[World]:
    """The world of the module. Restores the kubeconfig of the administrator afterwards."""
    yield production
    set_kubeconfig(production.layout, production.layout.kubeconfig.read_text())


@pytest.fixture
def gitea() -> Iterator[FakeGitea]:
    with fake_gitea.serving() as serving:
        yield serving


def shell(world: World, command: list[str | Path], folder: Path, **extra: str) -> None:
    completed = subprocess.run(
        command, cwd=folder, env=environment(world.layout) | extra, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr


def use_service_account(world: World, account: str, folder: Path) -> None:
    """Creates a kubeconfig with the commands of docs/ci.md, and sets it with the command of the workflows."""
    (block,) = blocks("ci.md", "Create a kubeconfig for CI")
    assert "account=viewer\n" in block.text
    shell(world, ["bash", "-euc", block.text.replace("account=viewer\n", f"account={account}\n")], folder)
    kubeconfig = (folder / f"{account}.kubeconfig").read_text()
    shell(world, [CHECKOUT / ".gitea" / "set-credentials"], world.project, SETTINGS="kubeconfig", kubeconfig=kubeconfig)


def comment(world: World, gitea: FakeGitea) -> subprocess.CompletedProcess[str]:
    job = {"GITHUB_SERVER_URL": gitea.url, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}
    return ops(world, "comment", "--stack", "prod", "--pull-request", "7", extra=job)


def test_the_viewer_writes_the_previews_of_a_pull_request_into_one_comment(
    world: World, gitea: FakeGitea, tmp_path: Path
) -> None:
    use_service_account(world, "viewer", tmp_path)
    before = snapshot(world)
    for tag in ("proposed-1", "proposed-2"):
        world.set_config("honeydue:images.web", tag)
        completed = comment(world, gitea)
        assert completed.returncode == 0, completed.stdout
    (preview,) = gitea.comments[7]
    assert "1 to update." in preview["body"]
    assert "| update | `Deployment::web` |" in preview["body"]
    assert "Monthly cost: EUR 25.47" in preview["body"]
    assert snapshot(world) == before

    settings = world.layout.config.read_text()
    world.set_config("honeydue:nodes.hetzner3", None)
    refused = comment(world, gitea)
    world.layout.config.write_text(settings)
    assert refused.returncode == 1
    assert "`Server::hetzner3` would be deleted" in gitea.comments[7][0]["body"]


def test_the_deployer_applies_a_release(world: World, tmp_path: Path) -> None:
    use_service_account(world, "deployer", tmp_path)
    before = snapshot(world)
    world.set_config("honeydue:images.web", "deployed-by-ci")
    completed = ops(world, "up", "--stack", "prod", "--yes")
    assert completed.returncode == 0, completed.stdout
    assert rolled(before, snapshot(world)) == {"web"}
