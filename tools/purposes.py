"""Which programs each command needs, so that no other program is downloaded or built for it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from tools import official
from tools.backups import BACKUPS
from tools.monitoring import AMTOOL, VMALERT_TOOL
from tools.program import Program
from tools.programs import (
    ACTIONLINT,
    CHECKERS,
    CLOUDFLARE_PLUGIN,
    D2,
    DISTRIBUTION,
    ENGINE,
    HCLOUD_PLUGIN,
    MINIFLARE,
    NODES,
    PROGRAMS,
    TRAEFIK,
    UV,
    VERSITYGW,
    WORLD,
)


class Purpose(StrEnum):
    """What a command does with the programs: the arguments of `python -m tools.install`."""

    OPERATE = "operate"
    """make preview, up, release, drift, adopt, outputs. The engine downloads the provider plugins itself."""
    RESTORE = "restore"
    """make restore-drill, restore-database."""
    REHEARSAL = "rehearsal"
    NODES = "nodes"
    """A rehearsal with real nodes."""
    PLUGINS = "plugins"
    """A rehearsal with the vendors' own provider plugins."""
    REHEARSAL_TESTS = "rehearsal-tests"
    MANIFESTS = "manifests"
    RULES = "rules"
    """The unit tests of the alert rules."""
    DIAGRAM = "diagram"
    WORKER = "worker"
    """The tests of the uptime Worker."""
    WORKFLOWS = "workflows"
    LOCK = "lock"
    TESTS = "tests"
    """make test."""


_REHEARSAL = (*ENGINE, *WORLD)
_REHEARSAL_TESTS = (*_REHEARSAL, TRAEFIK, VERSITYGW, DISTRIBUTION)
PROGRAMS_BY_PURPOSE: Mapping[Purpose, Sequence[Program]] = {
    Purpose.OPERATE: ENGINE,
    Purpose.RESTORE: (*ENGINE, *BACKUPS),
    Purpose.REHEARSAL: _REHEARSAL,
    Purpose.NODES: (*_REHEARSAL, *NODES, DISTRIBUTION),
    Purpose.PLUGINS: (*_REHEARSAL, HCLOUD_PLUGIN, CLOUDFLARE_PLUGIN),
    Purpose.REHEARSAL_TESTS: _REHEARSAL_TESTS,
    Purpose.MANIFESTS: CHECKERS,
    Purpose.RULES: (VMALERT_TOOL, AMTOOL),
    Purpose.DIAGRAM: (D2,),
    Purpose.WORKER: (MINIFLARE,),
    Purpose.WORKFLOWS: (ACTIONLINT,),
    Purpose.LOCK: (UV,),
    Purpose.TESTS: (*_REHEARSAL_TESTS, *CHECKERS, VMALERT_TOOL, AMTOOL, D2, MINIFLARE, ACTIONLINT),
}


def required_programs(*purposes: Purpose) -> tuple[Program, ...]:
    """The programs for these purposes, in the order of the table. The default purpose is a rehearsal.

    The engine is left out if an official Pulumi CLI on PATH replaces it.
    """
    names = {program.name for purpose in purposes or [Purpose.REHEARSAL] for program in PROGRAMS_BY_PURPOSE[purpose]}
    engine = {program.name for program in ENGINE}
    if names & engine and official.usable():
        names -= engine
    return tuple(program for program in PROGRAMS if program.name in names)
