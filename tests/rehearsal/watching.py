"""Watches an app from before an `up` to after it: how few of its pods were ready, whose pods were replaced, which volumes stayed."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self

from rehearsal.world.world import World
from tests.rehearsal.cluster import NAMESPACE, items

PATIENCE_SECONDS = 30
HASH = "pod-template-hash"


@dataclass(frozen=True, kw_only=True)
class Look:
    """One moment, whatever labels the pods carry: their uids by Deployment; uid of each claim, and the name of its volume."""

    pods: Mapping[str, frozenset[str]]
    claims: Mapping[str, tuple[str, str]]


def look(world: World) -> Look:
    pods: dict[str, set[str]] = {}
    for pod in items(world, "pods"):
        metadata = pod["metadata"]
        if HASH in metadata["labels"] and "deletionTimestamp" not in metadata:
            deployment = metadata["ownerReferences"][0]["name"].removesuffix(f"-{metadata['labels'][HASH]}")
            pods.setdefault(deployment, set()).add(metadata["uid"])
    return Look(
        pods={deployment: frozenset(uids) for deployment, uids in pods.items()},
        claims={
            claim["metadata"]["name"]: (claim["metadata"]["uid"], claim["spec"]["volumeName"])
            for claim in items(world, "persistentvolumeclaims")
        },
    )


class Watching:
    """Around what is watched: `with Watching(world) as watched: world.pulumi("up", …)`.

    Attributes:
        before, after: the moments at both ends.
    """

    before: Look
    after: Look

    def __init__(self, world: World, *, service: str = "api") -> None:
        self._world = world
        self._slices = ("endpointslices", "-n", NAMESPACE, "-l", f"kubernetes.io/service-name={service}")
        self._news = Condition()
        self._ended = False
        self._seen: dict[str, int] = {}
        self._ready: dict[str, frozenset[str]] = {}
        self._fewest: int | None = None

    def __enter__(self) -> Self:
        self.before = look(self._world)
        one_a_line = ("--watch", "--output-watch-events", "-o", 'jsonpath={@}{"\\n"}')
        command = self._world.kubectl_client().command("get", *self._slices, *one_a_line)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._catch_up()
        except BaseException:
            self._stop()
            raise
        with self._news:
            # Only now: the slices that were there already came one by one.
            self._fewest = self._now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._catch_up()
                self.after = look(self._world)
        finally:
            self._stop()

    @property
    def fewest_ready(self) -> int:
        """The lowest number of ready endpoints of the Service so far."""
        with self._news:
            if self._fewest is None:
                raise RuntimeError("nothing was watched yet")
            return self._fewest

    @property
    def restarted(self) -> set[str]:
        """Deployments that lost a pod they had."""
        return {
            deployment
            for deployment, uids in self.before.pods.items()
            if uids - self.after.pods.get(deployment, frozenset())
        }

    def _now(self) -> int:
        return len(frozenset().union(*self._ready.values()))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            with self._news:
                self._take(event["type"], event["object"])
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _take(self, what: str, slice_: Mapping[str, Any]) -> None:
        name = slice_["metadata"]["name"]
        self._seen[name] = int(slice_["metadata"]["resourceVersion"])
        endpoints = [] if what == "DELETED" else slice_.get("endpoints") or []
        self._ready[name] = frozenset(one["targetRef"]["uid"] for one in endpoints if one["conditions"]["ready"])
        if self._fewest is not None:
            self._fewest = min(self._fewest, self._now())

    def _catch_up(self) -> None:
        """Returns when all has been seen that has happened until now."""
        listed = self._world.kubectl_json("get", *self._slices)["items"]
        expected = {one["metadata"]["name"]: int(one["metadata"]["resourceVersion"]) for one in listed}
        with self._news:
            done = self._news.wait_for(
                lambda: self._ended or all(self._seen.get(name, 0) >= version for name, version in expected.items()),
                PATIENCE_SECONDS,
            )
            if self._ended or not done:
                raise RuntimeError(
                    f"the watch {'ended early' if self._ended else 'fell behind'}: what it saw proves nothing"
                )

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
