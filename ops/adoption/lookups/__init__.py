"""How each type of resource is found where it lives, by the vendors' own clients.

Each module knows one provider. What exists nowhere but in a stack is left out, with the reason.
"""

from collections.abc import Callable, Mapping

from ops.adoption.findings import Finding, Wanted
from ops.errors import OpsError

Lookup = Callable[[Wanted], Finding]


def made_here(_: Wanted) -> Finding:
    """Keys and what is signed with them: nobody else ever had them, so there is nothing to take over."""
    return Finding.left_out("made by the program, and kept in its state alone")


GENERATED: Mapping[str, Lookup] = {"tls": made_here, "random": made_here}
"""By package."""


def find(wanted: Wanted, lookups: Mapping[str, Lookup]) -> Finding:
    """Looks it up by its type, or by its package where all of that are found alike."""
    lookup = lookups.get(wanted.type) or lookups.get(wanted.type.partition(":")[0])
    if lookup is None:
        raise OpsError(f"{wanted.short}: no way is known to find a {wanted.type}; add one to ops/lookups")
    return lookup(wanted)
