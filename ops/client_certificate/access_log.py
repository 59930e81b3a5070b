"""Which client certificates are in Traefik's access log."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CF_RAY = "request_Cf-Ray"
"""The field with the header that Cloudflare adds to every request (infra/cluster/traefik_values.py)."""
SUBJECT = "TLSClientSubject"


@dataclass(frozen=True, kw_only=True)
class Requests:
    """The requests of Cloudflare in an access log.

    Attributes:
        expected: number with a certificate of the expected authority.
        other: number with another certificate or without one.
        last_other: time of the last request in `other`.
    """

    expected: int
    other: int
    last_other: str = ""


def count_requests(log: str, *, authority: str) -> Requests:
    """Count the requests in a log of one pod, in JSON lines. Requests without Cloudflare's header are ignored."""
    subjects = {True: 0, False: 0}
    last_other = ""
    for entry in _entries(log):
        expected = f"SERIALNUMBER={authority}" in str(entry.get(SUBJECT, "")).split(",")
        subjects[expected] += 1
        if not expected:
            last_other = str(entry.get("time", ""))
    return Requests(expected=subjects[True], other=subjects[False], last_other=last_other)


def _entries(log: str) -> Iterator[Mapping[str, object]]:
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            # An error message of the Go runtime, or a line that is cut at the start of the requested time.
            continue
        if isinstance(entry, dict) and entry.get(CF_RAY):
            yield entry
