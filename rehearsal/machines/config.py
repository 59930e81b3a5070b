"""The k3s configuration on the disk of a machine: the options that the simulated k3s supports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rehearsal.errors import RehearsalError

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class Config:
    """The merged values of config.yaml and config.yaml.d. Later files override earlier ones, and `key+` appends."""

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
        """The value of a required key. Raises RehearsalError when it is missing."""
        value = self.values.get(key, default)
        if value is None:
            raise RehearsalError(f"the k3s configuration has no {key}")
        return str(value)

    def texts(self, key: str) -> list[str]:
        return [str(value) for value in _list(self.values.get(key))]

    def is_set(self, key: str) -> bool:
        return bool(self.values.get(key))

    def extra_arguments(self, root: Path) -> Mapping[str, Sequence[str]]:
        """The values of `<program>-arg` for each program. Absolute paths are made relative to the machine's disk."""

        def localize(flag: str) -> str:
            name, _, value = flag.partition("=")
            return f"{name}={root}{value}" if value.startswith("/") else flag

        return {program: [localize(flag) for flag in self.texts(f"{program}-arg")] for program in PROGRAMS}

    def bucket_options(self) -> Mapping[str, str]:
        """The `etcd-s3-*` options that describe the bucket. The name of the Secret that can contain them is not one."""
        others = {"etcd-s3", "etcd-s3-config-secret"}
        return {
            name: str(value) for name, value in self.values.items() if name.startswith("etcd-s3") and name not in others
        }

    @property
    def critical(self) -> Mapping[str, object]:
        """Options that all servers must share, by the name of their field in k3s' own configuration.

        `CriticalControlArgs` in pkg/daemons/config/types.go. The CIDRs are in text form, without k3s' duplicates of the
        first CIDR and of the first DNS address.
        """
        return {
            "ClusterDNS": self.text("cluster-dns"),
            "ClusterDomain": self.text("cluster-domain", "cluster.local"),
            "ClusterIPRange": self.text("cluster-cidr", "10.42.0.0/16"),
            "DisableCCM": self.is_set("disable-cloud-controller"),
            "DisableHelmController": self.is_set("disable-helm-controller"),
            "DisableNPC": self.is_set("disable-network-policy"),
            "DisableServiceLB": "servicelb" in self.texts("disable"),
            "EmbeddedRegistry": self.is_set("embedded-registry"),
            "EncryptProvider": self.text("secrets-encryption-provider", "aescbc"),
            "EncryptSecrets": self.is_set("secrets-encryption"),
            "EgressSelectorMode": self.text("egress-selector-mode", "agent"),
            "FlannelBackend": self.text("flannel-backend", "vxlan"),
            "FlannelExternalIP": self.is_set("flannel-external-ip"),
            "FlannelIPMasqDisableRandomFully": self.is_set("flannel-ip-masq-disable-random-fully"),
            "FlannelIPv6Masq": self.is_set("flannel-ipv6-masq"),
            "ServiceIPRange": self.text("service-cidr", "10.43.0.0/16"),
            "SupervisorMetrics": self.is_set("supervisor-metrics"),
        }

    @property
    def password(self) -> str:
        """The secret part of the token, in its short or full form."""
        return self.text("token").strip().rpartition("::server:")[2]

    @property
    def ca_hash(self) -> str | None:
        """The hash of the cluster CA, which only the full form of the token contains."""
        token = self.text("token")
        return token.removeprefix("K10").partition("::")[0] if token.startswith("K10") else None


def _list(value: Any) -> list[Any]:  # noqa: ANN401  # any YAML value
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
