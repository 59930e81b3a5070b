"""k3s' configuration on a machine's disk, as far as its stand-in follows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rehearsal.errors import RehearsalError

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class Config:
    """config.yaml and the files of config.yaml.d, in k3s' order: what comes later counts, `key+` adds."""

    values: Mapping[str, Any]

    @classmethod
    def read(cls, root: Path) -> "Config":
        folder = root / "etc/rancher/k3s"
        values: dict[str, Any] = {}
        for file in (folder / "config.yaml", *sorted((folder / "config.yaml.d").glob("*.yaml"))):
            for key, value in (yaml.safe_load(file.read_text()) or {}).items():
                name = key.removesuffix("+")
                values[name] = [*_list(values.get(name)), *_list(value)] if key.endswith("+") else value
        return cls(values)

    def text(self, key: str, default: str | None = None) -> str:
        """One value; a RehearsalError where k3s could not do without it."""
        value = self.values.get(key, default)
        if value is None:
            raise RehearsalError(f"k3s' configuration has no {key}")
        return str(value)

    def texts(self, key: str) -> list[str]:
        return [str(value) for value in _list(self.values.get(key))]

    def is_set(self, key: str) -> bool:
        return bool(self.values.get(key))

    def programs_flags(self, root: Path) -> Mapping[str, Sequence[str]]:
        """What the control plane's programs are told beside k3s' own flags; files are those of this machine's disk."""

        def here(flag: str) -> str:
            name, _, value = flag.partition("=")
            return f"{name}={root}{value}" if value.startswith("/") else flag

        return {program: [here(flag) for flag in self.texts(f"{program}-arg")] for program in PROGRAMS}

    def bucket_flags(self) -> Mapping[str, str]:
        """What is told of the snapshots' bucket itself, and not where that is told."""
        elsewhere = {"etcd-s3", "etcd-s3-config-secret"}
        return {
            name: str(value)
            for name, value in self.values.items()
            if name.startswith("etcd-s3") and name not in elsewhere
        }

    @property
    def password(self) -> str:
        """The secret part of the token, whatever its form."""
        return self.text("token").strip().rpartition("::server:")[2]

    @property
    def authority_hash(self) -> str | None:
        """What the token in its full form says of the cluster's authority."""
        token = self.text("token")
        return token.removeprefix("K10").partition("::")[0] if token.startswith("K10") else None


def _list(value: Any) -> list[Any]:  # noqa: ANN401  # YAML holds anything
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
