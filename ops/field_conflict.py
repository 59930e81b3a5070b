"""A field that the program declares and somebody else changed, for example with `kubectl scale` or `kubectl set image`.

The API server then rejects the program's next change of that object. Its message, and the provider's around it, name
neither this program's command nor what it does.
"""

import re

MANAGER = re.compile(r'conflicts? with "([^"]+)"')
FIELD = re.compile(r"(?:: |^- )(\.\S+)$", re.MULTILINE)
"""A path after the last manager of a line, or in a list of several (apimachinery, managedfields, conflict.go)."""
REJECTED = "Apply failed with"


def explain_conflict(resource: str, message: str) -> str | None:
    """What was changed in the resource, by whom, and how to put it back. None if the message is another error."""
    if REJECTED not in message:
        return None
    managers, fields = (list(dict.fromkeys(pattern.findall(message))) for pattern in (MANAGER, FIELD))
    return (
        f"{resource}: {', '.join(managers) or 'somebody'} changed {', '.join(fields) or 'it'} outside of this program. "
        "To put back what the program declares, run the same command with REFRESH=1. To keep the change, declare it in "
        "the settings or the program first"
    )
