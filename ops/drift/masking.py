"""Removes the stack's own secrets, and the user and password in URLs, from any text."""

import base64
import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from infra.settings.secrets import SECRETS
from ops.plain_text import MASK

MIN_SECRET_LENGTH, MIN_LINE_LENGTH = 6, 20
"""A shorter secret, or a shorter line of a secret, would also match unrelated text."""
_USER_INFO = re.compile(r"(?<=://)[^/?#@\s]+(?=@)")


class Masking:
    """Replaces the secrets in the settings, as plain text or base64, wherever they occur."""

    def __init__(self, settings: Mapping[str, JsonValue]) -> None:
        secrets = {text for key in SECRETS for text in _texts(settings.get(key)) if len(text) >= MIN_SECRET_LENGTH}
        encoded = {base64.b64encode(text.encode()).decode() for text in secrets}
        # The longest first, because one secret may contain another.
        self._secrets = sorted(secrets | encoded, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _USER_INFO.sub(MASK, text)


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
        # The report shows only the lines of a long text that differ.
        yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= MIN_LINE_LENGTH)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
