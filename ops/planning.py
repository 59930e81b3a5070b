"""The engine around a plan: it makes one, and applies the program it was made of.

`pulumi` is the one on PATH, with whatever environment the caller has: production's, or that of a rehearsal's world. A plan is
checked, not enforced: `pulumi up --plan` is experimental, and refuses its own plan of a new node half-way, where an address in a
list was not known yet. What a plan did not show, the engine's own protection still refuses.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from ops.plan import Plan, PlanError

REFRESH = ("--refresh", "--run-program")
"""Another look at all that the stack holds; with the program, so that it is by the tokens of now and not by those in the state."""
FORCE = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""With such a look: a field that somebody took over with kubectl would be refused, and with it the rest."""


PLAIN_JSON = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "false"}
"""Set otherwise in somebody's shell, it makes events of the plan, one a line."""


def make_plan(stack: str, *, refresh: bool = False) -> Plan:
    """What `up` would do; touches nothing. Its `errors` tell where the engine could not go on; a PlanError where it made no plan at all."""
    done = previewed(stack, _looking(refresh=refresh), _environment(refresh=refresh))
    if not done.stdout.strip():
        raise PlanError(done.stderr.strip())
    plan = Plan.read(done.stdout)
    if done.returncode != 0 and not plan.errors:
        raise PlanError(done.stderr.strip())
    return plan


def previewed(stack: str, flags: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The engine's preview of all resources as JSON.

    Protection is ignored here: the engine would stop at the first protected resources, and the plan would not show the rest.
    """
    command = [
        "pulumi",
        "preview",
        "--stack",
        stack,
        "--json",
        "--show-sames",
        "--ignore-protect",
        "--non-interactive",
        *flags,
    ]
    return run(command, {**environment, **PLAIN_JSON})


def unprotect(stack: str, urns: Sequence[str]) -> None:
    """Lifts the protection of these, in the state alone: the program puts it back on what is still there after the next `up`."""
    done = run(["pulumi", "state", "unprotect", "--stack", stack, "--yes", "--non-interactive", *urns])
    if done.returncode != 0:
        raise PlanError(done.stderr.strip() or done.stdout.strip())


def apply(stack: str, *, refresh: bool = False) -> int:
    """`pulumi up` at the person's own terminal, protection in force; returns its exit code."""
    return stream(
        ["pulumi", "up", "--stack", stack, "--yes", "--skip-preview", *_looking(refresh=refresh)],
        _environment(refresh=refresh),
    )


def show_diff(stack: str, *, refresh: bool = False) -> int:
    """The engine's own rich diff of every property."""
    command = ["pulumi", "preview", "--stack", stack, "--diff", "--ignore-protect", *_looking(refresh=refresh)]
    return stream(command, _environment(refresh=refresh))


def _looking(*, refresh: bool) -> Sequence[str]:
    return REFRESH if refresh else ()


def _environment(*, refresh: bool) -> dict[str, str]:
    return {**os.environ, **(FORCE if refresh else {})}


def run(
    command: Sequence[str], environment: dict[str, str] | None = None, *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PlanError("pulumi is not on PATH: `make preview` finds or builds it") from None


def stream(command: Sequence[str], environment: dict[str, str] | None = None) -> int:
    print(shlex.join(command), flush=True)
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal told the engine too, and it ends its work in good order: to kill it would leave half a resource.
            continue
