"""The operating system below k3s: packages, SSH, updates, kernel settings."""

from collections.abc import Mapping, Sequence

from infra.settings.topology import Access, ClusterSettings

REQUIRED_PACKAGES = ("curl", "jq", "nftables", "openssl")
"""The programs of the node's scripts and of metadata-guard. k3s does not start without them."""
PACKAGES = (
    *REQUIRED_PACKAGES,
    "fail2ban",
    # For inspection of kube-proxy's rules: `ipvsadm -Ln`. k3s does not need it.
    "ipvsadm",
    "needrestart",
    # fail2ban reads the journal with it. Ubuntu no longer writes auth.log.
    "python3-systemd",
    "unattended-upgrades",
)

TIME_SERVERS = ("ntp1.hetzner.de", "ntp2.hetzner.com", "ntp3.hetzner.net")
"""https://docs.hetzner.com/dns-console/dns/general/time-servers. Certificates and leases need synchronized clocks."""


def packages(cluster: ClusterSettings) -> Sequence[str]:
    """Packages that are installed on the first boot."""
    # `wg show` displays the handshakes between the nodes. The kernel contains WireGuard itself.
    return [*PACKAGES, *(["wireguard-tools"] if cluster.flannel_backend == "wireguard-native" else [])]


def files(access: Access) -> Mapping[str, str]:
    """Configuration files by path. None is secret."""
    return {
        # Sorted before the files of the image: sshd uses the first value of each option.
        "/etc/ssh/sshd_config.d/01-honeydue.conf": SSHD.format(port=access.ssh_port),
        "/etc/fail2ban/jail.d/honeydue.local": JAIL.format(port=access.ssh_port),
        "/etc/apt/apt.conf.d/52honeydue": APT,
        "/etc/needrestart/conf.d/honeydue.conf": NEEDRESTART,
        "/etc/systemd/journald.conf.d/honeydue.conf": JOURNAL,
        "/etc/sysctl.d/90-kubelet.conf": SYSCTL,
        "/etc/tmpfiles.d/k3s.conf": DIRECTORIES,
    }


SSHD = """\
Port {port}
# Public keys only, for root as well.
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
# Limits of one connection, and of connections that have not authenticated yet.
MaxAuthTries 4
LoginGraceTime 30
MaxStartups 10:30:60
# Close the sessions of clients that have not responded for 15 minutes.
ClientAliveInterval 300
ClientAliveCountMax 3
# Every root user of the node could use a forwarded agent.
AllowAgentForwarding no
# A stolen key could otherwise reach etcd, the kubelet and the pods through the node, past firewall and audit log.
AllowTcpForwarding no
AllowStreamLocalForwarding no
PermitTunnel no
X11Forwarding no
"""

JAIL = """\
[DEFAULT]
banaction = nftables
banaction_allports = nftables[type=allports]
# Double the ban time with every ban.
bantime.increment = true

[sshd]
enabled = true
port = {port}
backend = systemd
maxretry = 5
findtime = 10m
bantime = 1h
"""

APT = """\
// A mirror that is unavailable for a moment must not fail the first boot.
Acquire::Retries "10";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
// Ubuntu's default origins stay: security updates only.
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
// No automatic reboot: three nodes that reboot in one night lose etcd's quorum. kured reboots one node at a time.
Unattended-Upgrade::Automatic-Reboot "false";
"""

# A Perl snippet: 0 is "do not restart".
NEEDRESTART = """\
# needrestart restarts the services that use an upgraded library. k3s uses none. Only an upgrade of k3s restarts it.
$nrconf{override_rc}{qr(^k3s)} = 0;
"""

JOURNAL = """\
[Journal]
# Kept across reboots, to explain why the node rebooted.
Storage=persistent
SystemMaxUse=1G
SystemKeepFree=2G
MaxRetentionSec=1month
"""

SYSCTL = """\
# Required by the kubelet's protect-kernel-defaults: it does not start with other values.
vm.panic_on_oom=0
vm.overcommit_memory=1
kernel.panic=10
kernel.panic_on_oops=1
# Ubuntu's 128 instances are exhausted by some dozens of pods that watch files ("too many open files").
fs.inotify.max_user_instances=8192
fs.inotify.max_user_watches=524288
"""

# Created at each boot, and explicitly before the first service reads cloud-init's files: cloud-init creates directories
# that every user may enter.
DIRECTORIES = """\
d /etc/honeydue 0700 root root
d /etc/rancher 0755 root root
d /etc/rancher/k3s 0700 root root
d /etc/rancher/k3s/config.yaml.d 0700 root root
d /var/lib/rancher 0755 root root
d /var/lib/rancher/k3s 0755 root root
d /var/lib/rancher/k3s/server 0700 root root
d /var/lib/rancher/k3s/server/logs 0700 root root
d /var/lib/rancher/k3s/server/tls 0700 root root
d /var/lib/rancher/k3s/server/tls/etcd 0700 root root
"""
