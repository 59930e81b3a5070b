"""Redis keeps its data across pods, requires its password, and evicts keys instead of exceeding its memory."""

from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items

VALUE_BYTES = 10_000


def cli(world: World, command: str, *, password: str = "$REDIS_PASSWORD") -> str:  # noqa: S107  # a variable's name
    """Runs a command in the Redis pod, where the environment variable REDIS_PASSWORD is set."""
    (pod,) = (
        pod["metadata"]["name"] for pod in items(world, "pods", "redis") if "deletionTimestamp" not in pod["metadata"]
    )
    shell = f'REDISCLI_AUTH="{password}" {command}'
    return world.kubectl("exec", "-n", NAMESPACE, pod, "--", "sh", "-c", shell).strip()


def config(world: World, name: str) -> str:
    return cli(world, f"redis-cli config get {name}").splitlines()[-1]


def info(world: World, name: str) -> int:
    fields = dict(line.split(":", 1) for line in cli(world, "redis-cli info").splitlines() if ":" in line)
    return int(fields[name])


def test_redis_keeps_its_data_when_its_pod_is_replaced(production: World) -> None:
    assert cli(production, "redis-cli set residences kept") == "OK"
    (before,) = (pod["metadata"]["uid"] for pod in items(production, "pods", "redis"))
    production.kubectl("delete", "pod", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=redis", "--wait=true")
    production.kubectl("rollout", "status", "-n", NAMESPACE, "deployment/redis", "--timeout=120s")
    (after,) = (pod["metadata"]["uid"] for pod in items(production, "pods", "redis"))
    assert after != before
    assert cli(production, "redis-cli get residences") == "kept"


def test_redis_refuses_clients_without_the_password(production: World) -> None:
    assert "NOAUTH" in cli(production, "redis-cli get residences", password="")
    assert "WRONGPASS" in cli(production, "redis-cli get residences 2>&1", password="wrong")


def test_a_full_redis_evicts_keys_and_is_not_oom_killed(production: World) -> None:
    maxmemory = int(config(production, "maxmemory"))
    assert config(production, "maxmemory-policy") == "allkeys-lru"
    # Writes 1.5 times its maximum memory, to random keys.
    count = maxmemory * 3 // 2 // VALUE_BYTES
    cli(
        production,
        f'redis-benchmark -a "$REDIS_PASSWORD" -q -t set -n {count} -r 100000000 -d {VALUE_BYTES} -P 16 >/dev/null',
    )
    assert info(production, "evicted_keys") > 0
    assert info(production, "used_memory") <= maxmemory * 1.05
    assert cli(production, "redis-cli set residences kept") == "OK"
    (pod,) = items(production, "pods", "redis")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    cli(production, "redis-cli flushall")
