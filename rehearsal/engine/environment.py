"""The environment variables that make `pulumi` and `kubectl` act in a world."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from rehearsal.clouds import endpoints
from rehearsal.layout import Layout
from rehearsal.loopback import PROXY_VARIABLES, without_proxies
from rehearsal.processes.processes import SHELL_VARIABLE, world_environment

STACK = "prod"
PASSPHRASE = "rehearsal"  # noqa: S105  # protects placeholders only

_VENV_PROGRAMS = Path(sys.executable).parent


def world_variables(layout: Layout) -> Mapping[str, str]:
    """The variables with which `pulumi`, run in the checkout, acts in this world and nowhere else."""
    return {
        # The pinned language host ignores the option `virtualenv` and runs the first Python on PATH.
        "PATH": f"{layout.programs}{os.pathsep}{_VENV_PROGRAMS}",
        "PULUMI_BACKEND_URL": f"file://{layout.backend}",
        "PULUMI_HOME": str(layout.pulumi_home),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_STACK": STACK,
        # PULUMI_OPTION_<FLAG> sets a flag of every command. With --config-file, production's file is not changed.
        "PULUMI_OPTION_CONFIG_FILE": str(layout.config),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Use the providers in PULUMI_HOME: never those on the operator's PATH, and never download one.
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        SHELL_VARIABLE: str(layout.folder),
        "KUBECONFIG": str(layout.kubeconfig),
        **endpoints.environment(layout.clouds),
    }


def environment(layout: Layout) -> dict[str, str]:
    """The complete environment of a command in the world. The operator's own Pulumi variables are removed."""
    inherited = {name: value for name, value in without_proxies(os.environ).items() if not name.startswith("PULUMI_")}
    variables = world_variables(layout)
    path = os.pathsep.join([variables["PATH"], inherited.get("PATH", os.defpath)])
    # TMPDIR: the Kubernetes provider leaves a copy of the kubeconfig there in every run.
    return world_environment(layout, {**inherited, **variables, "PATH": path, "TMPDIR": str(layout.temporary)})


def shell_exports(layout: Layout) -> str:
    """Shell commands that make `pulumi` and `kubectl` of the current shell act in this world.

    They also mark the prompt, and remove the proxies, because this shell sends its requests to the world.
    """
    variables = {**world_variables(layout), "TMPDIR": str(layout.temporary)}
    path = variables.pop("PATH")
    mark = f"(rehearsal {layout.name}) "
    proxies = sorted(PROXY_VARIABLES | {name.upper() for name in PROXY_VARIABLES})
    return "\n".join(
        [
            f'export PATH={shlex.quote(path)}:"$PATH"',
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
            f"unset {' '.join(proxies)}",
            f'case "${{PS1-}}" in *"{mark}"*) ;; *) PS1="{mark}${{PS1-}}" ;; esac',
        ]
    )


def shell_command(layout: Layout) -> list[str]:
    """The operator's shell, with a marked prompt if it is Bash, which needs a file for it."""
    shell = os.environ.get("SHELL", "/bin/sh")
    if Path(shell).name != "bash":
        return [shell]
    file = layout.folder / "bashrc"
    # The variables last: the operator's own file may set some of them.
    file.write_text(f"[ ! -f ~/.bashrc ] || . ~/.bashrc\n{shell_exports(layout)}\n")
    return [shell, "--rcfile", str(file)]
