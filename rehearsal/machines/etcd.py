"""The members of an etcd cluster, by etcd's own etcdctl."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rehearsal.control_plane.control_plane import binary

JOIN_SECONDS = 120.0
PAUSE_SECONDS = 0.5


class EtcdError(Exception):
    """etcd refused, or could not be asked; in its own words."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member; without a name while it has never started."""

    id: str
    name: str
    peer_url: str
    learner: bool

    @property
    def in_cluster(self) -> str:
        """As etcd's own flag wants it."""
        return f"{self.name}={self.peer_url}"


@dataclass(frozen=True, kw_only=True)
class Etcd:
    """A way into a cluster, with a client's certificate below `pki`."""

    url: str
    pki: Path

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs etcdctl; raises EtcdError."""
        environment = {
            "ETCDCTL_ENDPOINTS": self.url,
            "ETCDCTL_CACERT": str(self.pki / "etcd/server-ca.crt"),
            "ETCDCTL_CERT": str(self.pki / "etcd/client.crt"),
            "ETCDCTL_KEY": str(self.pki / "etcd/client.key"),
        }
        command = [str(binary("etcd", "etcdctl")), *arguments]
        done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EtcdError(_words(done.stderr))
        return done.stdout

    def members(self) -> Sequence[Member]:
        answer: Mapping[str, Any] = json.loads(self.run("member", "list", "--write-out=json"))
        return [
            Member(
                # etcdctl takes its ids in hexadecimal digits and gives them in decimal ones.
                id=f"{one['ID']:x}",
                name=one.get("name", ""),
                peer_url=one["peerURLs"][0],
                learner=one.get("isLearner", False),
            )
            for one in answer["members"]
        ]

    def add(self, name: str, peer_url: str) -> Sequence[str]:
        """Announces a member as k3s does, a learner that does not count until it has caught up; returns all, `name=peer-url`."""
        for attempt in _patiently():
            with attempt:
                # One that was announced and never started has no name yet.
                ours = [one for one in self.members() if one.peer_url == peer_url and one.name in {"", name}]
                if not ours:
                    self.run("member", "add", name, f"--peer-urls={peer_url}", "--learner")
        return [one.in_cluster for one in self.members() if one.name] + [f"{name}={peer_url}"]

    def promote(self, peer_url: str) -> None:
        """Lets it count, as soon as it has caught up."""
        for attempt in _patiently():
            with attempt:
                for one in self.members():
                    if one.peer_url == peer_url and one.learner:
                        self.run("member", "promote", one.id)

    def remove(self, name: str, address: str) -> None:
        """Removes a member; one that is gone already is no error."""
        for one in self.members():
            if one.name == name and one.peer_url == f"https://{address}:2380":
                try:
                    self.run("member", "remove", one.id)
                except EtcdError:
                    if any(left.id == one.id for left in self.members()):
                        raise


def _patiently() -> Retrying:
    # Refused while another is learning, or while a member is away.
    return Retrying(
        retry=retry_if_exception_type(EtcdError),
        stop=stop_after_delay(JOIN_SECONDS),
        wait=wait_fixed(PAUSE_SECONDS),
        reraise=True,
    )


def _words(said: str) -> str:
    """The error of etcdctl, which logs JSON before it."""
    lines = [line for line in said.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "etcdctl said nothing")
