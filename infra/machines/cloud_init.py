"""The user data of a node, which cloud-init reads on the first boot and never again (docs/nodes.md).

Changed user data does not affect an existing node: `userData` is ignored there.
"""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files as package_files
from pathlib import PurePosixPath

import pulumi
import yaml

from infra.machines import host, k3s
from infra.machines.node_config import NodeConfig
from infra.settings.limits import USER_DATA
from infra.settings.shared_options import response_fields
from infra.settings.topology import Access, ClusterSettings

TLS_DIRECTORY = PurePosixPath("/var/lib/rancher/k3s/server/tls")


class _Dumper(yaml.SafeDumper):
    """Writes multi-line text as a block. It is readable in a review and shorter than one line with escapes."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def user_data(
    node: NodeConfig, *, cluster: ClusterSettings, access: Access, registries: Mapping[str, object] | None = None
) -> str:
    """The cloud-config of one node. Raises a RunError when it is larger than Hetzner accepts.

    `registries` is the configuration of containerd's registries, which is only written if there is one.
    """
    text = "#cloud-config\n" + _yaml(
        {
            "hostname": node.hostname,
            "preserve_hostname": False,
            # Keys only. A server that is created with keys has no password, and cloud-init must not set one. The keys
            # are those of root.
            "ssh_pwauth": False,
            "disable_root": False,
            "ntp": {"enabled": True, "ntp_client": "systemd-timesyncd", "servers": list(host.TIME_SERVERS)},
            "package_update": True,
            # Upgrade now, while no workload is running that a restart would interrupt.
            "package_upgrade": True,
            "packages": list(host.packages(cluster)),
            "write_files": [*_files(node, cluster, access), *_registries(registries or {})],
            "runcmd": COMMANDS,
        }
    )
    if (size := len(text.encode())) > USER_DATA.maximum:
        raise pulumi.RunError(
            f"The user data of {node.hostname} has {size} bytes; Hetzner accepts at most {USER_DATA.maximum}."
        )
    return text


COMMANDS = [
    # Apply the files that were written: directory modes, kernel settings, units and the limits of the journal.
    ["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/k3s.conf"],
    ["sysctl", "--quiet", "--system"],
    ["systemctl", "daemon-reload"],
    ["systemctl", "restart", "systemd-journald"],
    # Ubuntu starts sshd through a socket unit, which a generator creates from sshd's configuration at daemon-reload.
    # The socket cannot be restarted while the service is running. A configuration that sshd rejects must not lock out
    # the operators; `sshd -t` needs the directory.
    "mkdir -p /run/sshd; if sshd -t; then systemctl stop ssh.service; "
    "systemctl restart ssh.socket || systemctl restart ssh.service; fi",
    ["systemctl", "enable", "--now", "metadata-guard.service", "metadata-guard.timer"],
    # Do not wait for k3s: a node may wait for its cluster without a limit, and cloud-init must complete.
    ["systemctl", "enable", "k3s.service"],
    ["systemctl", "start", "--no-block", "k3s.service"],
]


def _files(node: NodeConfig, cluster: ClusterSettings, access: Access) -> Iterator[Mapping[str, str]]:
    for path, content in host.files(access).items():
        yield _file(path, content)
    for name in ("node-packages", "k3s-install", "k3s-role"):
        yield _file(f"/usr/local/sbin/{name}", _package_file(f"{name}.sh"), mode="0755")
    for unit in ("metadata-guard.service", "metadata-guard.timer", "k3s.service"):
        yield _file(f"/etc/systemd/system/{unit}", _package_file(unit))
    yield _file("/etc/honeydue/metadata-guard.nft", _package_file("metadata-guard.nft"))
    yield _file("/etc/honeydue/node.env", _environment(node, cluster), mode="0600")
    yield _file("/etc/honeydue/k3s-token", node.join_token + "\n", mode="0600")
    yield _file("/etc/rancher/k3s/config.yaml", _yaml(k3s.configuration(node, cluster)), mode="0600")
    if node.role == "server":
        yield _file(k3s.ADMISSION_CONFIG, _yaml(k3s.admission_config()), mode="0600")
        yield _file(k3s.AUDIT_POLICY, _yaml(k3s.audit_policy()), mode="0600")
    # Byte for byte, because the token contains the hash of a CA certificate.
    for name, pem in node.ca_files.items():
        yield _file(TLS_DIRECTORY / name, pem, mode="0600")


def _registries(registries: Mapping[str, object]) -> Iterator[Mapping[str, str]]:
    if registries:
        yield _file("/etc/rancher/k3s/registries.yaml", _yaml(registries), mode="0600")


def _file(path: str | PurePosixPath, content: str, *, mode: str = "0644") -> Mapping[str, str]:
    return {"path": str(path), "permissions": mode, "content": content}


def _environment(node: NodeConfig, cluster: ClusterSettings) -> str:
    """The variables of the scripts and of k3s.service."""
    values = {
        "NODE_NAME": node.hostname,
        "NODE_ADDRESS": node.address,
        "NODE_ROLE": node.role,
        "NODE_PEERS": " ".join(node.peers),
        "NODE_CLUSTER_INIT": "yes" if node.cluster_init else "no",
        "NODE_PACKAGES": " ".join(host.packages(cluster)),
        "REQUIRED_PACKAGES": " ".join(host.REQUIRED_PACKAGES),
        "NODE_SHARED_OPTIONS": json.dumps(response_fields(ClusterSettings), separators=(",", ":")),
        "K3S_VERSION": cluster.k3s_version,
        "K3S_SHA256": cluster.k3s_sha256 or "",
    }
    return "".join(f"{key}='{value}'\n" for key, value in values.items())


def _package_file(name: str) -> str:
    """A file without its comments, because the user data has no room for all of them."""
    lines = package_files("infra.machines").joinpath("files", name).read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("#!") or not line.lstrip().startswith("#"))


def _yaml(value: Mapping[str, object]) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000)
