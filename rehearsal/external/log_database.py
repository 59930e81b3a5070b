"""VictoriaLogs at the URL in the settings, as the server outside of the cluster that stores its logs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import requests

from rehearsal.errors import RehearsalError
from rehearsal.external.victoria import VictoriaServer
from tools.cache import executable

Line = Mapping[str, str]
"""A line of a log: its fields, among them `_msg` and `_time`."""


@dataclass(frozen=True, kw_only=True)
class LogDatabase(VictoriaServer):
    """VictoriaLogs behind TLS and basic authentication."""

    name: ClassVar[str] = "victoria-logs"

    @property
    def program(self) -> Path:
        return executable("victorialogs", "victoria-logs")

    @property
    def rule(self) -> str:
        return " || ".join(f"PathPrefix(`{self.prefix}/{path}/`)" for path in ("insert", "select"))

    def query(self, expression: str) -> Sequence[Line]:
        """The lines that match a LogsQL expression. Raises a RehearsalError."""
        try:
            response = self.send("GET", "/select/logsql/query", {"query": expression})
        except requests.RequestException as error:
            raise RehearsalError(f"the log database does not respond: {type(error).__name__}") from error
        if not response.ok:
            raise RehearsalError(f"the log database returned an error: {response.text.strip()}")
        return [json.loads(line) for line in response.text.splitlines()]
