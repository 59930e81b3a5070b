"""The eviction policy of redis: the default evicts queued jobs, with a warning, and the other policies do not."""

from typing import Any

import pulumi
import pytest

from tests.unit.capture import example_settings, run
from tests.unit.test_settings import errors_of

WARNING = "a full redis also evicts queued jobs"


def start_and_warnings(monkeypatch: pytest.MonkeyPatch, **redis: str) -> tuple[str, list[str]]:
    """The command of redis, and the warnings of the program about it."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda message, *_: warnings.append(message))
    settings: dict[str, Any] = {**example_settings()}
    settings["honeydue:redis"] = {**settings["honeydue:redis"], **redis}
    (container,) = run(settings).resource("Deployment", "redis").inputs["spec"]["template"]["spec"]["containers"]
    return container["args"][0], [message for message in warnings if "honeydue:redis" in message]


def test_the_default_is_the_policy_of_the_running_redis_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    command, warnings = start_and_warnings(monkeypatch)
    assert "--maxmemory-policy allkeys-lru " in command
    assert [WARNING in message for message in warnings] == [True]


@pytest.mark.parametrize("policy", ["volatile-lru", "noeviction"])
def test_a_policy_that_keeps_jobs_does_not_warn(monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    command, warnings = start_and_warnings(monkeypatch, evictionPolicy=policy)
    assert f"--maxmemory-policy {policy} " in command
    assert warnings == []


def test_an_unknown_policy_is_refused() -> None:
    assert "honeydue:redis.evictionPolicy holds 'lru': 'allkeys-lru'" in errors_of({"redis/evictionPolicy": "lru"})
