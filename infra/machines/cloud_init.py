"""What a new node is told on its first boot. It never reaches a living one: `userData` is ignored there. See docs/nodes.md."""

from collections.abc import Iterator, Mapping
from importlib.resources import files as packaged
from pathlib import PurePosixPath

import pulumi
import yaml

from infra.machines import host, k3s
from infra.machines.node_config import Boot
from infra.settings.topology import Access, ClusterSettings

LIMIT = 32 * 1024
"""Bytes of user data that Hetzner takes (https://docs.hetzner.cloud/#servers-create-a-server)."""
TLS = PurePosixPath("/var/lib/rancher/k3s/server/tls")


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such: readable in a review, and shorter than one line with escapes."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def user_data(boot: Boot, *, cluster: ClusterSettings, access: Access) -> str:
    """Cloud-config of one node; a RunError when Hetzner would not take it."""
    text = "#cloud-config\n" + _yaml(
        {
            "hostname": boot.hostname,
            "preserve_hostname": False,
            # Keys only: a server created with keys has no password, and none shall be set later. They are root's.
            "ssh_pwauth": False,
            "disable_root": False,
            "ntp": {"enabled": True, "ntp_client": "systemd-timesyncd", "servers": list(host.TIME_SERVERS)},
            "package_update": True,
            # Now, while nothing runs yet that a restart would hurt.
            "package_upgrade": True,
            "packages": list(host.packages(cluster)),
            "write_files": list(_files(boot, cluster, access)),
            "runcmd": COMMANDS,
        }
    )
    if (size := len(text.encode())) > LIMIT:
        raise pulumi.RunError(f"The user data of {boot.hostname} has {size} bytes, and Hetzner takes {LIMIT}.")
    return text


COMMANDS = [
    # What was written is not in force yet: the folders' modes, the kernel's settings, the units, the journal's limits.
    ["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/k3s.conf"],
    ["sysctl", "--quiet", "--system"],
    ["systemctl", "daemon-reload"],
    ["systemctl", "restart", "systemd-journald"],
    # Ubuntu's sshd is started by a socket, which a generator makes of sshd's configuration at daemon-reload, and which cannot be
    # restarted while the service runs. A configuration that sshd refuses must not lock everybody out; its check wants the folder.
    "mkdir -p /run/sshd; if sshd -t; then systemctl stop ssh.service; systemctl restart ssh.socket || systemctl restart ssh.service; fi",
    ["systemctl", "enable", "--now", "metadata-guard.service"],
    # Not awaited: a node may wait for its cluster for ever, and cloud-init shall be done.
    ["systemctl", "enable", "k3s.service"],
    ["systemctl", "start", "--no-block", "k3s.service"],
]


def _files(boot: Boot, cluster: ClusterSettings, access: Access) -> Iterator[Mapping[str, str]]:
    for path, content in host.files(access).items():
        yield _file(path, content)
    for name in ("k3s-install", "k3s-role"):
        yield _file(f"/usr/local/sbin/{name}", _packaged(f"{name}.sh"), mode="0755")
    for unit in ("metadata-guard.service", "k3s.service"):
        yield _file(f"/etc/systemd/system/{unit}", _packaged(unit))
    yield _file("/etc/honeydue/metadata-guard.nft", _packaged("metadata-guard.nft"))
    yield _file("/etc/honeydue/node.env", _environment(boot, cluster), mode="0600")
    yield _file("/etc/honeydue/k3s-token", boot.token + "\n", mode="0600")
    yield _file("/etc/rancher/k3s/config.yaml", _yaml(k3s.configuration(boot, cluster)), mode="0600")
    if boot.role == "server":
        yield _file(k3s.ADMISSION, _yaml(k3s.admission()), mode="0600")
        yield _file(k3s.AUDIT_POLICY, _yaml(k3s.audit_policy()), mode="0600")
    # Byte for byte: the token holds the hash of one of them.
    for name, pem in boot.authority.items():
        yield _file(TLS / name, pem, mode="0600")


def _file(path: str | PurePosixPath, content: str, *, mode: str = "0644") -> Mapping[str, str]:
    return {"path": str(path), "permissions": mode, "content": content}


def _environment(boot: Boot, cluster: ClusterSettings) -> str:
    """What both scripts and k3s.service read."""
    values = {
        "NODE_NAME": boot.hostname,
        "NODE_ADDRESS": boot.address,
        "NODE_ROLE": boot.role,
        "NODE_PEERS": " ".join(boot.peers),
        "NODE_FOUNDS": "yes" if boot.founds else "no",
        "K3S_VERSION": cluster.k3s_version,
        "K3S_SHA256": cluster.k3s_sha256 or "",
    }
    return "".join(f"{key}='{value}'\n" for key, value in values.items())


def _packaged(name: str) -> str:
    return packaged("infra.machines").joinpath("files", name).read_text()


def _yaml(value: Mapping[str, object]) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000)
