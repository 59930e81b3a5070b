"""`make save-queue` stops Deployments with evicted pods, and starts them again when it is terminated."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ops.queue.command import WORKER
from tests.unit.test_new_volume import live
from tests.unit.test_queue import AppCluster, Calls, FakeKubectl, calls, invoke

__all__ = ["calls"]


def test_an_evicted_pod_does_not_prevent_a_stop(calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster = AppCluster(calls)
    evicted = live("Pod", "worker-0", status={"phase": "Failed"})
    evicted["metadata"]["labels"] = {"app": WORKER}
    cluster.ended.append(evicted)
    result = invoke(monkeypatch, cluster, FakeKubectl(calls), "save-queue", str(tmp_path / "redis.rdb"))
    assert result.exit_code == 0, result.output


def test_worker_and_redis_continue_when_the_terminal_is_closed(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Closed(FakeKubectl):
        def shell(self, *arguments: Any, **options: Any) -> str:
            output = super().shell(*arguments, **options)
            if self.calls[-1] == "DUMP_DATA":
                os.kill(os.getpid(), signal.SIGHUP)
            return output

    cluster, before = AppCluster(calls), signal.getsignal(signal.SIGHUP)
    result = invoke(monkeypatch, cluster, Closed(calls), "save-queue", str(tmp_path / "redis.rdb"))
    assert result.exit_code == 128 + signal.SIGHUP
    assert calls[-2:] == ["ACCEPT_WRITES", "scale worker 1"]
    assert signal.getsignal(signal.SIGHUP) == before
