"""The Pulumi engine inside a world: its environment, its stack, its commands."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

from rehearsal.engine import configuration, quiet_exec
from rehearsal.engine.configuration import PROJECT, SecretSetting
from rehearsal.engine.placeholders import placeholder
from rehearsal.errors import RehearsalError
from rehearsal.layout import CHECKOUT, Layout
from rehearsal.loopback import loopback_ranges
from rehearsal.processes.processes import world_environment
from tools.cache import executable
from tools.programs import PULUMI
from tools.purposes import required_programs

STACK = "prod"
SIMULATED = ("hcloud", "cloudflare", "tls", "random")
PASSPHRASE = "rehearsal"  # noqa: S105  # protects placeholders only

_VENV_PROGRAMS = Path(sys.executable).parent


def stack_environment(layout: Layout) -> Mapping[str, str]:
    """What a plain `pulumi`, run in the checkout, must find in its environment to act in this world and nowhere else."""
    return {
        # The venv: the built language host is old, ignores the virtualenv option and takes the first Python on PATH.
        "PATH": f"{layout.programs}{os.pathsep}{_VENV_PROGRAMS}",
        "PULUMI_BACKEND_URL": f"file://{layout.backend}",
        "PULUMI_HOME": str(layout.pulumi_home),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_STACK": STACK,
        # The engine reads every flag from PULUMI_OPTION_<FLAG> too: production's own file stays untouched.
        "PULUMI_OPTION_CONFIG_FILE": str(layout.config),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The providers are those in PULUMI_HOME, never one of the person's own PATH, and none is fetched.
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "HONEYDUE_WORLD": str(layout.folder),
        "KUBECONFIG": str(layout.kubeconfig),
    }


def environment(layout: Layout) -> dict[str, str]:
    """The whole environment of a command in the world; nothing of the person's own Pulumi set-up comes along."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    ours = stack_environment(layout)
    path = os.pathsep.join([ours["PATH"], inherited.get("PATH", os.defpath)])
    # The Kubernetes provider leaves a copy of the kubeconfig there at every run.
    return world_environment(layout, {**inherited, **ours, "PATH": path, "TMPDIR": str(layout.temporary)})


def shell_exports(layout: Layout) -> str:
    """Shell lines that make a plain `pulumi` and `kubectl` act in this world."""
    ours = dict(stack_environment(layout))
    path = ours.pop("PATH")
    lines = [f"export {name}={shlex.quote(value)}" for name, value in ours.items()]
    return "\n".join([f'export PATH={shlex.quote(path)}:"$PATH"', *lines])


def install(layout: Layout) -> None:
    """Gives the world its engine, kubectl and providers."""
    layout.temporary.mkdir(exist_ok=True)
    # The engine keeps a log of every detail of a command here, 2 MB of it, which takes a third of its CPU time in a preview and cannot
    # be switched off. Where a file has the folder's name it goes without, and says nothing.
    (layout.pulumi_home / "logs").touch()
    if PULUMI in required_programs():
        _install_engine(layout)
    _place(layout.programs / "kubectl", lambda place: place.symlink_to(executable("kubernetes", "kubectl")))
    kubernetes = executable("pulumi-resource-kubernetes", "pulumi-resource-kubernetes")
    _place(_plugin(layout, "kubernetes"), lambda place: place.symlink_to(kubernetes))
    for provider in SIMULATED:
        command = shlex.join([sys.executable, "-m", "rehearsal.clouds", provider])
        _place_script(
            _plugin(layout, provider), f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(CHECKOUT))} exec {command} "$@"\n'
        )


def _install_engine(layout: Layout) -> None:
    # Both in one folder: the engine takes a language host beside itself as its own, and warns of any other.
    for name in ("pulumi", "pulumi-language-python"):
        _place(layout.programs / name, partial(_same_file, executable(name, name)))
    script = layout.programs / "pulumi-language-python-exec"
    real = executable("pulumi-language-python", script.name)
    _place(script.with_suffix(quiet_exec.REAL.suffix), lambda place: place.symlink_to(real))
    _place_script(script, Path(quiet_exec.__file__).read_text())


def _plugin(layout: Layout, provider: str) -> Path:
    """Where the engine looks for a provider: by the version its SDK asks for."""
    folder = layout.pulumi_home / "plugins" / f"resource-{provider}-v{metadata.version(f'pulumi-{provider}')}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"pulumi-resource-{provider}"


def _place(place: Path, make: Callable[[Path], object]) -> None:
    # Always anew: what stands here may be a link into the cache of all worlds, which must never be written through.
    place.unlink(missing_ok=True)
    make(place)


def _place_script(place: Path, text: str) -> None:
    _place(place, lambda place: place.write_text(text))
    place.chmod(0o755)


def _same_file(built: Path, place: Path) -> None:
    try:
        # Not a symbolic link, which the engine would follow to find out what stands beside it.
        place.hardlink_to(built)
    except OSError:
        # The cache is on another disk.
        shutil.copy2(built, place)


def prepare_stack(layout: Layout, *, source: Path, kubeconfig: str | None) -> None:
    """Copies the settings and creates the stack if it is not there yet. Without a kubeconfig, the program founds its cluster."""
    layout.project.write_bytes((source.parent / "Pulumi.yaml").read_bytes())
    missing = configuration.copy_settings(source, layout.config, layout.pki, loopback=loopback_ranges(layout.folder))
    if not any(layout.backend.rglob(f"{STACK}.json*")):
        # In the world's own folder: `stack init` writes its salt into the settings file beside Pulumi.yaml.
        _quietly(layout, ["stack", "init", STACK, "--secrets-provider=passphrase"])
    _set_secrets(layout, missing)
    if kubeconfig is not None:
        set_kubeconfig(layout, kubeconfig)


def last_update(layout: Layout) -> float | None:
    """When the stack was changed last, in seconds as files have them; None of a stack that is not there."""
    return max((file.stat().st_mtime for file in layout.backend.rglob(f"stacks/**/{STACK}.json")), default=None)


def set_kubeconfig(layout: Layout, kubeconfig: str) -> None:
    """Tells the stack where the API server is and how to get in."""
    # By its input, not as an argument, which every user of the machine could read: it opens the control plane.
    _quietly(layout, ["config", "set", "--secret", f"{PROJECT}:kubeconfig"], stdin=kubeconfig)


def replace_server_url(layout: Layout, *, old: str, new: str) -> None:
    """Tells settings and state that the API server's URL is another one, so that the next preview shows no change."""
    set_kubeconfig(layout, layout.kubeconfig.read_text())
    exported = _quietly(layout, ["stack", "export", "--show-secrets"])
    if old in exported:
        _quietly(layout, ["stack", "import"], stdin=exported.replace(old, new))


def _set_secrets(layout: Layout, missing: Sequence[SecretSetting]) -> None:
    pairs = [f"{one.path}={placeholder(one.key, layout.pki)}" for one in missing if one.key != "kubeconfig"]
    if pairs:
        _quietly(layout, ["config", "set-all", "--path", *(part for pair in pairs for part in ("--secret", pair))])


def _quietly(layout: Layout, arguments: Sequence[str], *, stdin: str = "") -> str:
    done = run(layout, [*arguments, "--non-interactive"], project=layout.folder, stdin=stdin)
    if done.returncode != 0:
        raise RehearsalError(f"pulumi {arguments[0]} {arguments[1]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def run(
    layout: Layout,
    arguments: Sequence[str],
    *,
    project: Path,
    stdin: str = "",
    extra: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a pulumi command and returns what it said."""
    command = [_pulumi(layout), *arguments]
    return subprocess.run(
        command,
        cwd=project,
        env={**environment(layout), **(extra or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def start(
    layout: Layout, arguments: Sequence[str], *, project: Path, extra: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Starts a pulumi command, its words in a pipe."""
    return subprocess.Popen(
        [_pulumi(layout), *arguments],
        cwd=project,
        env={**environment(layout), **(extra or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_pulumi_in_foreground(layout: Layout, arguments: Sequence[str], *, project: Path) -> int:
    """Runs a pulumi command at the person's own terminal and returns its exit code."""
    return run_in_foreground([_pulumi(layout), *arguments], project=project, env=environment(layout))


def run_in_foreground(command: Sequence[str], *, project: Path, env: Mapping[str, str]) -> int:
    """Runs a command at the person's own terminal and returns its exit code."""
    process = subprocess.Popen(command, cwd=project, env=env)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal told the engine too, and it ends its work in good order: to kill it would leave half a resource.
            continue


def _pulumi(layout: Layout) -> str:
    found = shutil.which("pulumi", path=environment(layout)["PATH"])
    if found is None:
        raise RehearsalError("pulumi was not found: run python -m tools.install")
    return found
