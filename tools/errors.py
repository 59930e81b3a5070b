"""The error of all tools, and how a tool's output becomes one sentence."""

import re
from collections.abc import Sequence

DISK_FULL = (
    "the disk is full: free some space, or set HONEYDUE_CACHE to a folder on a larger disk; finished programs are kept"
)
INTERRUPTED = "tools: interrupted. Finished programs are kept; run the same command again to continue."


class ToolsError(Exception):
    """A command of the tools failed. The message is one line for the operator: what is wrong, and what to do."""


def explain(output: str, reasons: Sequence[tuple[str, str]], *, default: str) -> str:
    """Why a command failed: the reason of the first pattern that matches its output, else its last line of output.

    `reasons` are pairs of a regular expression and a reason. `default` is returned when the command printed nothing.
    """
    for pattern, reason in reasons:
        if re.search(pattern, output):
            return reason
    return next((line for line in reversed(output.splitlines()) if line.strip()), default)
