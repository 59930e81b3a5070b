"""Watches an app during an `up`: the minimum of ready endpoints, replaced pods, and volume claims."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self

from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items

TIMEOUT_SECONDS = 30
HASH = "pod-template-hash"


@dataclass(frozen=True, kw_only=True)
class Workloads:
    """Pod UIDs by Deployment, and UID and volume name of each volume claim, at one moment."""

    pods: Mapping[str, frozenset[str]]
    claims: Mapping[str, tuple[str, str]]


def read_workloads(world: World) -> Workloads:
    pods: dict[str, set[str]] = {}
    for pod in items(world, "pods"):
        metadata = pod["metadata"]
        if HASH in metadata["labels"] and "deletionTimestamp" not in metadata:
            deployment = metadata["ownerReferences"][0]["name"].removesuffix(f"-{metadata['labels'][HASH]}")
            pods.setdefault(deployment, set()).add(metadata["uid"])
    return Workloads(
        pods={deployment: frozenset(uids) for deployment, uids in pods.items()},
        claims={
            claim["metadata"]["name"]: (claim["metadata"]["uid"], claim["spec"]["volumeName"])
            for claim in items(world, "persistentvolumeclaims")
        },
    )


class RolloutWatch:
    """Records an app while its `with` block runs: `with RolloutWatch(world) as watch: world.pulumi("up", …)`.

    Attributes:
        before: the workloads at the start of the block.
        after: the workloads at the end of the block.
    """

    before: Workloads
    after: Workloads

    def __init__(self, world: World, *, service: str = "api") -> None:
        self._world = world
        self._slices = ("endpointslices", "-n", NAMESPACE, "-l", f"kubernetes.io/service-name={service}")
        self._changed = Condition()
        self._ended = False
        self._resource_versions: dict[str, int] = {}
        self._ready_pods: dict[str, frozenset[str]] = {}
        self._minimum: int | None = None

    def __enter__(self) -> Self:
        self.before = read_workloads(self._world)
        one_event_per_line = ("--watch", "--output-watch-events", "-o", 'jsonpath={@}{"\\n"}')
        command = self._world.kubectl_client().command("get", *self._slices, *one_event_per_line)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._wait_until_current()
        except BaseException:
            self._stop()
            raise
        with self._changed:
            # The minimum starts here: the watch reports the existing slices one after the other.
            self._minimum = self._ready_count()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._wait_until_current()
                self.after = read_workloads(self._world)
        finally:
            self._stop()

    @property
    def minimum_ready(self) -> int:
        """The minimum of ready endpoints of the Service so far."""
        with self._changed:
            if self._minimum is None:
                raise RuntimeError("the watch has not started")
            return self._minimum

    @property
    def restarted(self) -> set[str]:
        """Deployments of which at least one pod was replaced."""
        return {
            deployment
            for deployment, uids in self.before.pods.items()
            if uids - self.after.pods.get(deployment, frozenset())
        }

    def _ready_count(self) -> int:
        return len(frozenset().union(*self._ready_pods.values()))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            with self._changed:
                self._handle(event["type"], event["object"])
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _handle(self, event_type: str, slice_: Mapping[str, Any]) -> None:
        name = slice_["metadata"]["name"]
        self._resource_versions[name] = int(slice_["metadata"]["resourceVersion"])
        endpoints = [] if event_type == "DELETED" else slice_.get("endpoints") or []
        self._ready_pods[name] = frozenset(
            endpoint["targetRef"]["uid"] for endpoint in endpoints if endpoint["conditions"]["ready"]
        )
        if self._minimum is not None:
            self._minimum = min(self._minimum, self._ready_count())

    def _wait_until_current(self) -> None:
        """Waits until the watch has reported every change up to now."""
        listed = self._world.kubectl_json("get", *self._slices)["items"]
        expected = {slice_["metadata"]["name"]: int(slice_["metadata"]["resourceVersion"]) for slice_ in listed}
        with self._changed:
            current = self._changed.wait_for(
                lambda: (
                    self._ended
                    or all(self._resource_versions.get(name, 0) >= version for name, version in expected.items())
                ),
                TIMEOUT_SECONDS,
            )
            if self._ended or not current:
                problem = "ended early" if self._ended else "is behind the API server"
                raise RuntimeError(f"the watch {problem}: its record is incomplete")

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
