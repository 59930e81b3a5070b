"""Alerts about redis and the queue in it, from redis_exporter."""

from collections.abc import Sequence

from infra.monitoring.rules.model import Rule

EXPORTER = "redis-exporter"
MEMORY_USED = 0.8
MEMORY_RATIO = "max(redis_memory_used_bytes / (redis_memory_max_bytes > 0))"
"""The share of its maximum that redis uses. A maximum of 0 means no limit."""
NEW_EVICTIONS = "max(increase_prometheus(redis_evicted_keys_total[10m]))"
"""Not `increase`: it counts the first value of a new series, and the series is new when the exporter moves."""
JOB_AGE_SECONDS = 600
QUEUE_AGE, QUEUE_LENGTH = "asynq_oldest_pending_seconds", "asynq_pending_tasks"
"""The keys of the script of redis_exporter (infra/monitoring/files/queue.lua)."""


def queue(key: str) -> str:
    """A result of the script."""
    return f'max(redis_script_values{{key="{key}"}})'


def redis_rules() -> Sequence[Rule]:
    return [
        Rule(
            name="RedisDown",
            expr="max(redis_up) == 0",
            for_="3m",
            severity="critical",
            exporter=EXPORTER,
            series=("redis_up",),
            summary="redis does not respond: jobs are neither accepted nor executed, and api is slower.",
            runbook="redis is down",
            follows="cluster",
        ),
        Rule(
            name="RedisMemoryHigh",
            expr=f"{MEMORY_RATIO} > {MEMORY_USED}",
            for_="15m",
            keep_firing_for="30m",
            severity="warning",
            exporter=EXPORTER,
            series=("redis_memory_used_bytes", "redis_memory_max_bytes"),
            summary="redis uses {{ $value | humanizePercentage }} of its memory. A full redis evicts or refuses jobs.",
            runbook="redis is full",
        ),
        Rule(
            name="RedisEvictsKeys",
            expr=f"{NEW_EVICTIONS} > 0",
            for_="1m",
            keep_firing_for="30m",
            severity="critical",
            exporter=EXPORTER,
            series=("redis_evicted_keys_total",),
            summary="redis is full and evicted {{ $value }} keys within ten minutes. Queued jobs may be among them.",
            runbook="redis is full",
        ),
        Rule(
            name="JobsWait",
            expr=f"{queue(QUEUE_AGE)} > {JOB_AGE_SECONDS}",
            for_="5m",
            keep_firing_for="5m",
            severity="critical",
            exporter=EXPORTER,
            series=("redis_script_values",),
            summary="The oldest job has waited for {{ $value | humanizeDuration }}.",
            runbook="Jobs wait",
        ),
    ]
