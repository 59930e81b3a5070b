"""Every wrong value in the settings is an error in the words of the settings file, and not in those of pydantic."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core._pydantic_core import list_all_errors

from infra.settings.messages import message
from infra.settings.schema import Settings
from infra.settings.secrets import FORMATS, SECRETS
from tests.unit.capture import full_settings
from tests.unit.other_workloads import SETTING
from tests.unit.placeholders import APNS_KEY

FIELDS = {field.alias for field in Settings.model_fields.values()}
SETTINGS: Mapping[str, Any] = {
    key.removeprefix("honeydue:"): value
    for key, value in full_settings().items()
    if key.removeprefix("honeydue:") in FIELDS
} | {
    "adminUsesApiUrl": False,
    "requireDigests": False,
    "otherWorkloads": {"vmagent": {**SETTING, "namespace": "honeydue"}},
    "adopted": {
        "selectors": {"api": {"app": "api"}},
        "clusterIps": {"api": "10.43.0.9"},
        "volumes": {"redis": {"claim": "redis", "storageClass": "local-path", "storage": "5Gi", "volume": "pvc-1"}},
    },
}
WRONG_VALUES = ("not a value", 12, 1.5, True, ["a"], {"a": "b"})
"""One value of each type of YAML."""
LIBRARY_PHRASES = re.compile(
    "|".join(
        sorted(
            {
                re.escape(phrase)
                for error in list_all_errors()
                for phrase in re.findall(r"[^{}]{12,}", error["message_template_python"])
            }
            | {"Input should", "Value error", "instance of", "function-", "IPv4Network", "constrained"}
        )
    )
)


def paths(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The path of each value of the settings, at any depth."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def at(path: tuple[object, ...]) -> Any:
    value: Any = SETTINGS
    for step in path:
        value = value[step]
    return value


def messages(path: tuple[object, ...], value: object) -> list[str]:
    """The errors of the settings with another value at this path."""
    settings = copy.deepcopy(dict(SETTINGS))
    target: Any = settings
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    try:
        Settings.model_validate(settings, context=settings)
    except ValidationError as error:
        return [message(details) for details in error.errors()]
    return []


def number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


ALL_PATHS = list(paths(dict(SETTINGS)))


def test_the_settings_of_this_test_are_valid_and_contain_every_key() -> None:
    assert messages(("domain",), SETTINGS["domain"]) == []
    assert FIELDS - SETTINGS.keys() == {"replacing"}


@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: ".".join(map(str, path)))
def test_a_value_of_another_type_is_an_error_without_a_phrase_of_the_library(path: tuple[object, ...]) -> None:
    original = at(path)
    for wrong in WRONG_VALUES:
        errors = messages(path, wrong)
        compatible = type(wrong) is type(original) or (isinstance(original, float) and number(wrong))
        assert errors or compatible, f"{wrong!r} was accepted"
        for error in errors:
            assert re.match(r"honeydue:[\w./@-]+( holds |: | is )", error), error
            assert LIBRARY_PHRASES.search(error) is None, error
            assert "\n" not in error


@pytest.mark.parametrize("path", ALL_PATHS, ids=lambda path: ".".join(map(str, path)))
def test_null_is_no_crash_and_no_phrase_of_the_library(path: tuple[object, ...]) -> None:
    for error in messages(path, None):
        assert LIBRARY_PHRASES.search(error) is None, error


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        # What the engine passes for 1234567890, 0123456789, 1e10, true and null in the stack's file.
        *(
            (
                "images.api",
                value,
                f"holds {shown}, which YAML does not read as text, but text was expected: "
                "pulumi config set --type string --path 'honeydue:images.api' 'TEXT'",
            )
            for value, shown in (
                (1234567890, "1234567890"),
                (123456789, "123456789"),
                (1e10, "10000000000.0"),
                (True, "true"),
                (None, "null"),
            )
        ),
        (
            "environment.EMAIL_PORT",
            587,
            "pulumi config set --type string --path 'honeydue:environment.EMAIL_PORT' 'TEXT'",
        ),
        ("environment.EMAIL_PORT", "99999", "EMAIL_PORT must be a port number"),
        ("images.registry", "https://docker.io/honeydue", "without https:// and without a slash at the end"),
        ("images.registry", "docker.io/honeydue/", "without https:// and without a slash at the end"),
        ("images.registry", "Docker.io/honeydue", 'such as "docker.io/honeydue", was expected'),
        ("cluster.podCidr", "10.42.0.1/16", "The network was expected: 10.42.0.0/16"),
        ("cluster.podCidr", "2001:db8::/32", 'an IPv4 network such as "10.42.0.0/16" was expected'),
        ("access.operators", ["203.0.113.7/24"], "honeydue:access.operators.0 holds '203.0.113.7/24': is an address"),
        ("access.operators", "0.0.0.0/0", "a list was expected, such as [VALUE, VALUE]"),
        ("nodes", ["hetzner1"], "KEY: VALUE pairs were expected"),
        ("edge.rateLimit", "fast", "KEY: VALUE pairs were expected"),
        ("prices.primaryIpv4", -0.5, "honeydue:prices.primaryIpv4 holds -0.5: at least 0 was expected"),
        ("prices.primaryIpv4", float("nan"), "honeydue:prices.primaryIpv4 holds NaN: "),
        ("prices.services", {"neon": -1}, "honeydue:prices.services.neon holds -1: at least 0 was expected"),
        ("prices.asOf", "2026-04-24 00:00:00 +0000 UTC", 'a date such as "2026-04-24", in quotes, was expected'),
        ("scale.web", True, "honeydue:scale.web holds true: a number was expected"),
        ("database.port", 70000, "honeydue:database.port holds 70000: at most 65535 was expected"),
        ("database.maxLifetime", "soon", 'a duration such as "30m", or "0", was expected'),
        ("database.user", "neon\nowner", "one line of text was expected"),
        ("cluster.flannelBackend", "vxlen", "holds 'vxlen': 'vxlan' or 'wireguard-native' was expected"),
        ("registryUsername", " ", "one line of text was expected"),
    ],
)
def test_an_error_says_what_was_expected(path: str, value: object, expected: str) -> None:
    (error,) = messages(tuple(path.split(".")), value)
    assert error.startswith(f"honeydue:{path.split('.', maxsplit=1)[0]}")
    assert expected in error


@pytest.mark.parametrize("name", ["FEATURE-PUSH", "1ST", "A B", "", "A=B", "Ä"])
def test_an_illegal_variable_name_is_refused(name: str) -> None:
    environment = {**SETTINGS["environment"], name: "x"}
    (error,) = messages(("environment",), environment)
    assert "a name of letters, digits and underscores that begins with no digit was expected" in error


@pytest.mark.parametrize("key", sorted(SECRETS.keys() - {"kubeconfig"}))
@pytest.mark.parametrize("value", ["two\nlines", "two\r\nlines", "tab\t", "\x00"])
def test_a_secret_with_a_line_break_is_refused(key: str, value: str) -> None:
    is_valid, expected = FORMATS[key]
    assert not is_valid(value)
    assert expected


@pytest.mark.parametrize(
    "broken",
    [
        "x",
        APNS_KEY.replace("PRIVATE", "PUBLIC"),
        APNS_KEY.replace("-----END PRIVATE KEY-----", ""),
        re.sub(r"\n[^\n]+\n-----END", "\n-----END", APNS_KEY),
        APNS_KEY.replace("MIGH", "MIG!"),
    ],
)
def test_a_broken_apple_key_is_refused(broken: str) -> None:
    is_valid, _ = FORMATS["apnsKey"]
    assert is_valid(APNS_KEY)
    assert is_valid(APNS_KEY.replace("\n", "\r\n"))
    assert not is_valid(broken)
