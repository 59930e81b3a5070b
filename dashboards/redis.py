"""The dashboard of redis and of the queue of jobs in it."""

from dashboards.model import Dashboard, Line, Panel, Query, Unit
from infra.monitoring.rules import redis

JOBS = [redis.EXPORTER]
WINDOW = "5m"


def dashboard() -> Dashboard:
    return Dashboard(
        uid="honeydue-redis",
        title="redis and queue",
        description="Whether jobs are executed in time, and how close redis is to evicting them.",
        panels=[*_queue(), *_memory(), *_load()],
    )


def _queue() -> list[Panel]:
    return [
        Panel(
            title="Age of the oldest job",
            unit=Unit.SECONDS,
            jobs=JOBS,
            queries=[Query(expr=redis.queue(redis.QUEUE_AGE), legend="oldest job")],
            line=Line(value=redis.JOB_AGE_SECONDS, alert="JobsWait"),
            description="Grows if worker is down, or slower than api creates jobs.",
        ),
        Panel(
            title="Jobs that wait",
            unit=Unit.COUNT,
            jobs=JOBS,
            queries=[Query(expr=redis.queue(redis.QUEUE_LENGTH), legend="jobs")],
            description="Of all queues. A short peak is normal.",
        ),
    ]


def _memory() -> list[Panel]:
    return [
        Panel(
            title="Memory in use",
            unit=Unit.RATIO,
            jobs=JOBS,
            queries=[Query(expr=redis.MEMORY_RATIO, legend="redis")],
            line=Line(value=redis.MEMORY_USED, alert="RedisMemoryHigh"),
            description="The share of maxmemory. When it is full, redis evicts keys, also those of jobs.",
        ),
        Panel(
            title="Memory",
            unit=Unit.BYTES,
            jobs=JOBS,
            queries=[
                Query(expr="max(redis_memory_max_bytes)", legend="maximum"),
                Query(expr="max(redis_memory_used_rss_bytes)", legend="process"),
                Query(expr="max(redis_memory_used_bytes)", legend="keys"),
            ],
            description="The process needs more than its keys while it rewrites its log.",
        ),
        Panel(
            title="Evicted keys within ten minutes",
            unit=Unit.COUNT,
            jobs=JOBS,
            queries=[Query(expr=redis.NEW_EVICTIONS, legend="keys")],
            description="RedisEvictsKeys fires at the first one.",
        ),
    ]


def _load() -> list[Panel]:
    return [
        Panel(
            title="Commands",
            unit=Unit.PER_SECOND,
            jobs=JOBS,
            queries=[Query(expr=f"sum(rate(redis_commands_processed_total[{WINDOW}]))", legend="commands")],
            description="Of api, worker, probes and the exporter.",
        ),
        Panel(
            title="Reads of keys",
            unit=Unit.PER_SECOND,
            jobs=JOBS,
            queries=[
                Query(expr=f"sum(rate(redis_keyspace_{result}_total[{WINDOW}]))", legend=result)
                for result in ("hits", "misses")
            ],
            description="Many misses after a restart: the cache fills again.",
        ),
        Panel(
            title="Clients",
            unit=Unit.COUNT,
            jobs=JOBS,
            queries=[Query(expr=f"max(redis_{state}_clients)", legend=state) for state in ("connected", "blocked")],
            description="Connections of api and worker. A blocked one waits for a job.",
        ),
    ]
