"""redis as it runs: what it keeps, what it drops, whom it answers."""

from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items

VALUE_BYTES = 10_000


def cli(world: World, command: str, *, password: str = "$REDIS_PASSWORD") -> str:  # noqa: S107  # a variable's name
    """In redis' own pod, in whose environment the password is."""
    (pod,) = (
        one["metadata"]["name"] for one in items(world, "pods", "redis") if "deletionTimestamp" not in one["metadata"]
    )
    shell = f'REDISCLI_AUTH="{password}" {command}'
    return world.kubectl("exec", "-n", NAMESPACE, pod, "--", "sh", "-c", shell).strip()


def settings(world: World, name: str) -> str:
    return cli(world, f"redis-cli config get {name}").splitlines()[-1]


def info(world: World, name: str) -> int:
    found = dict(line.split(":", 1) for line in cli(world, "redis-cli info").splitlines() if ":" in line)
    return int(found[name])


def test_it_keeps_its_data_when_its_pod_is_replaced(production: World) -> None:
    assert cli(production, "redis-cli set residences kept") == "OK"
    (before,) = (one["metadata"]["uid"] for one in items(production, "pods", "redis"))
    production.kubectl("delete", "pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=redis", "--wait=true")
    production.kubectl("rollout", "status", "-n", NAMESPACE, "deployment/redis", "--timeout=120s")
    (after,) = (one["metadata"]["uid"] for one in items(production, "pods", "redis"))
    assert after != before
    assert cli(production, "redis-cli get residences") == "kept"


def test_it_answers_nobody_without_the_password(production: World) -> None:
    assert "NOAUTH" in cli(production, "redis-cli get residences", password="")
    assert "WRONGPASS" in cli(production, "redis-cli get residences 2>&1", password="guessed")  # the wrong one


def test_full_it_drops_what_is_used_least_and_is_not_killed_for_its_memory(production: World) -> None:
    most = int(settings(production, "maxmemory"))
    assert settings(production, "maxmemory-policy") == "allkeys-lru"
    # Half as much again as it may hold, on other keys each time.
    count = most * 3 // 2 // VALUE_BYTES
    cli(
        production,
        f'redis-benchmark -a "$REDIS_PASSWORD" -q -t set -n {count} -r 100000000 -d {VALUE_BYTES} -P 16 >/dev/null',
    )
    assert info(production, "evicted_keys") > 0
    assert info(production, "used_memory") <= most * 1.05
    assert cli(production, "redis-cli set wanted here") == "OK"
    (pod,) = items(production, "pods", "redis")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    cli(production, "redis-cli flushall")
