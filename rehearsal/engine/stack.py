"""The Pulumi stack of a world: its settings, its secrets and its state."""

from collections.abc import Sequence
from pathlib import Path

from infra.settings.messages import PROJECT
from rehearsal.engine import configuration, pulumi
from rehearsal.engine.configuration import SecretSetting
from rehearsal.engine.environment import STACK
from rehearsal.engine.placeholders import placeholder
from rehearsal.errors import RehearsalError
from rehearsal.layout import Layout
from rehearsal.loopback import loopback_ranges


def prepare_stack(
    layout: Layout, *, settings_file: Path, kubeconfig: str | None, stand_in_images: bool = False
) -> None:
    """Copies the settings, and creates the stack if it does not exist.

    `kubeconfig` is None when the Pulumi program bootstraps the cluster. `stand_in_images` removes the digests of the
    images.
    """
    layout.project.write_bytes((settings_file.parent / "Pulumi.yaml").read_bytes())
    secrets = configuration.copy_settings(
        settings_file,
        layout.config,
        layout.pki,
        loopback=loopback_ranges(layout.folder),
        stand_in_images=stand_in_images,
    )
    layout.copied_config.write_bytes(layout.config.read_bytes())
    if not any(layout.backend.rglob(f"{STACK}.json*")):
        # In the world's folder: `stack init` writes the salt to the settings file beside Pulumi.yaml.
        _run(layout, ["stack", "init", STACK, "--secrets-provider=passphrase"])
    _set_secrets(layout, secrets)
    if kubeconfig is not None:
        set_kubeconfig(layout, kubeconfig)


def last_update(layout: Layout) -> float | None:
    """The time of the last change of the stack's state, like a file's mtime. None when there is no stack."""
    return max((file.stat().st_mtime for file in layout.backend.rglob(f"stacks/**/{STACK}.json")), default=None)


def set_kubeconfig(layout: Layout, kubeconfig: str) -> None:
    """Sets the stack's secret `kubeconfig`."""
    # On standard input, because every user of the machine can read the arguments of a process.
    _run(layout, ["config", "set", "--secret", f"{PROJECT}:kubeconfig"], stdin=kubeconfig)


def replace_server_url(layout: Layout, *, old: str, new: str) -> None:
    """Replaces the URL of the API server in settings and state, so that the next preview shows no change."""
    set_kubeconfig(layout, layout.kubeconfig.read_text())
    state = _run(layout, ["stack", "export", "--show-secrets"])
    if old in state:
        _run(layout, ["stack", "import"], stdin=state.replace(old, new))


def _set_secrets(layout: Layout, secrets: Sequence[SecretSetting]) -> None:
    pairs = [f"{secret.path}={placeholder(secret.key, layout.pki)}" for secret in secrets if secret.key != "kubeconfig"]
    if pairs:
        options = [argument for pair in pairs for argument in ("--secret", pair)]
        _run(layout, ["config", "set-all", "--path", *options])


def _run(layout: Layout, arguments: Sequence[str], *, stdin: str = "") -> str:
    completed = pulumi.run(layout, [*arguments, "--non-interactive"], project=layout.folder, stdin=stdin)
    if completed.returncode != 0:
        message = (completed.stderr or completed.stdout).strip()
        raise RehearsalError(f"pulumi {arguments[0]} {arguments[1]} failed: {message}")
    return completed.stdout
