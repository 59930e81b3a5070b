"""Runs etcdctl, and changes the members of an etcd cluster with it."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tools.cache import executable

JOIN_SECONDS = 120.0
PAUSE_SECONDS = 0.5


class EtcdError(Exception):
    """etcd refused a request or could not be reached. The message is etcdctl's."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of the cluster. Its name is empty until it has started once."""

    id: str
    name: str
    peer_url: str
    learner: bool

    @property
    def initial_cluster(self) -> str:
        """The member's entry in etcd's flag --initial-cluster."""
        return f"{self.name}={self.peer_url}"


@dataclass(frozen=True, kw_only=True)
class Etcd:
    """An etcd endpoint, and the folder of the client certificate for it."""

    url: str
    pki: Path

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs etcdctl and returns its output. Raises EtcdError."""
        environment = {
            "ETCDCTL_ENDPOINTS": self.url,
            "ETCDCTL_CACERT": str(self.pki / "etcd/server-ca.crt"),
            "ETCDCTL_CERT": str(self.pki / "etcd/client.crt"),
            "ETCDCTL_KEY": str(self.pki / "etcd/client.key"),
        }
        command = [str(executable("etcd", "etcdctl")), *arguments]
        completed = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)
        if completed.returncode != 0:
            raise EtcdError(_error_message(completed.stderr))
        return completed.stdout

    def members(self) -> Sequence[Member]:
        response: Mapping[str, Any] = json.loads(self.run("member", "list", "--write-out=json"))
        return [
            Member(
                # etcdctl prints ids in decimal digits and accepts them in hexadecimal digits.
                id=f"{member['ID']:x}",
                name=member.get("name", ""),
                peer_url=member["peerURLs"][0],
                learner=member.get("isLearner", False),
            )
            for member in response["members"]
        ]

    def add(self, name: str, peer_url: str) -> Sequence[str]:
        """Adds a member as a learner, as k3s does: it has no vote until it is promoted.

        Returns the entries of --initial-cluster for all members, the new one last.
        """
        for attempt in _retrying():
            with attempt:
                # A member that was added and never started has no name yet.
                added = any(member.peer_url == peer_url and member.name in {"", name} for member in self.members())
                if not added:
                    self.run("member", "add", name, f"--peer-urls={peer_url}", "--learner")
        return [member.initial_cluster for member in self.members() if member.name] + [f"{name}={peer_url}"]

    def promote(self, peer_url: str) -> None:
        """Makes a learner a voting member, as soon as it is in sync with the leader."""
        for attempt in _retrying():
            with attempt:
                for member in self.members():
                    if member.peer_url == peer_url and member.learner:
                        self.run("member", "promote", member.id)

    def remove(self, name: str, address: str) -> None:
        """Removes a member, if it exists."""
        for member in self.members():
            if member.name == name and member.peer_url == f"https://{address}:2380":
                try:
                    self.run("member", "remove", member.id)
                except EtcdError:
                    # Another server may have removed it in the meantime.
                    if any(current.id == member.id for current in self.members()):
                        raise


def _retrying() -> Retrying:
    # etcd refuses a change of members while another member is a learner or is not reachable.
    return Retrying(
        retry=retry_if_exception_type(EtcdError),
        stop=stop_after_delay(JOIN_SECONDS),
        wait=wait_fixed(PAUSE_SECONDS),
        reraise=True,
    )


def _error_message(stderr: str) -> str:
    """The error of etcdctl, which logs JSON lines before it."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    return next(
        (line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "etcdctl printed nothing"
    )
