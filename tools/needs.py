"""What each command runs, so that nothing else is fetched or built for it."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from tools import official
from tools.programs import ACTIONLINT, CHECKERS, D2, ENGINE, NODES, PROGRAMS, TRAEFIK, UV, VERSITYGW, WORLD, Program


class Purpose(StrEnum):
    """What somebody is about to do."""

    OPERATE = "operate"
    """make preview, up, release, drift, adopt, outputs. The engine fetches the provider plugins itself."""
    REHEARSAL = "rehearsal"
    NODES = "nodes"
    """What a rehearsal with real nodes runs besides."""
    REHEARSAL_TESTS = "rehearsal-tests"
    MANIFESTS = "manifests"
    DIAGRAM = "diagram"
    WORKFLOWS = "workflows"
    LOCK = "lock"
    TESTS = "tests"
    """make test."""


_REHEARSAL = (*ENGINE, *WORLD)
_REHEARSAL_TESTS = (*_REHEARSAL, TRAEFIK, VERSITYGW)
PROGRAMS_OF: Mapping[Purpose, Sequence[Program]] = {
    Purpose.OPERATE: ENGINE,
    Purpose.REHEARSAL: _REHEARSAL,
    Purpose.NODES: (*_REHEARSAL, *NODES),
    Purpose.REHEARSAL_TESTS: _REHEARSAL_TESTS,
    Purpose.MANIFESTS: CHECKERS,
    Purpose.DIAGRAM: (D2,),
    Purpose.WORKFLOWS: (ACTIONLINT,),
    Purpose.LOCK: (UV,),
    Purpose.TESTS: (*_REHEARSAL_TESTS, *CHECKERS, D2, ACTIONLINT),
}


def needed(purposes: Iterable[Purpose]) -> tuple[Program, ...]:
    """What these purposes run, in the order of the table, without what an official Pulumi on PATH replaces."""
    wanted = {program.name for purpose in purposes for program in PROGRAMS_OF[purpose]}
    if wanted & {program.name for program in ENGINE} and official.usable():
        wanted -= {program.name for program in ENGINE}
    return tuple(program for program in PROGRAMS if program.name in wanted)
