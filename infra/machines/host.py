"""The host below k3s: who gets in, what is updated, how the kernel is set (book ch20)."""

from collections.abc import Mapping, Sequence

from infra.settings.topology import Access, ClusterSettings

PACKAGES = (
    "curl",
    "fail2ban",
    # To look at what kube-proxy set up: `ipvsadm -Ln`. k3s brings what it needs itself.
    "ipvsadm",
    "jq",
    "needrestart",
    "nftables",
    "openssl",
    # By which fail2ban reads the journal; Ubuntu writes no auth.log to a file any more.
    "python3-systemd",
    "unattended-upgrades",
)

TIME_SERVERS = ("ntp1.hetzner.de", "ntp2.hetzner.com", "ntp3.hetzner.net")
"""https://docs.hetzner.com/dns-console/dns/general/time-servers. Certificates and leases are void on a node with another time."""


def packages(cluster: ClusterSettings) -> Sequence[str]:
    """Installed on the first boot."""
    # `wg show` tells whether the nodes have shaken hands; the kernel does the rest.
    return [*PACKAGES, *(["wireguard-tools"] if cluster.flannel_backend == "wireguard-native" else [])]


def files(access: Access) -> Mapping[str, str]:
    """By path; none of them is secret."""
    return {
        # Before the image's own files: of each option sshd takes the first it finds.
        "/etc/ssh/sshd_config.d/01-honeydue.conf": SSHD.format(port=access.ssh_port),
        "/etc/fail2ban/jail.d/honeydue.local": JAIL.format(port=access.ssh_port),
        "/etc/apt/apt.conf.d/52honeydue": APT,
        "/etc/needrestart/conf.d/honeydue.conf": NEEDRESTART,
        "/etc/systemd/journald.conf.d/honeydue.conf": JOURNAL,
        "/etc/sysctl.d/90-kubelet.conf": SYSCTL,
        "/etc/tmpfiles.d/k3s.conf": FOLDERS,
    }


SSHD = """\
Port {port}
# Keys only; root only by key.
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
# What one connection may try, and how many that have not logged in there may be at once.
MaxAuthTries 4
LoginGraceTime 30
MaxStartups 10:30:60
# Sessions of clients that are gone end after a quarter of an hour.
ClientAliveInterval 300
ClientAliveCountMax 3
X11Forwarding no
# A key that is lent to a node could be used by anyone who is root there.
AllowAgentForwarding no
"""

JAIL = """\
[DEFAULT]
banaction = nftables
banaction_allports = nftables[type=allports]
# Twice as long each time.
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
// A mirror that is away for a moment must not leave a node without jq or nft: the first boot asks for them, and no other.
Acquire::Retries "10";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
// The security pocket only is Ubuntu's default here, and stays.
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
// Never by itself: three nodes that reboot in one night are a cluster without quorum. One at a time is the cluster's business.
Unattended-Upgrade::Automatic-Reboot "false";
"""

# A Perl snippet: 0 is "do not restart".
NEEDRESTART = """\
# After an upgrade of a library needrestart restarts what uses it. k3s uses none, and restarts only when somebody means it.
$nrconf{override_rc}{qr(^k3s)} = 0;
"""

JOURNAL = """\
[Journal]
# Kept over a reboot: it tells why there was one.
Storage=persistent
SystemMaxUse=1G
SystemKeepFree=2G
MaxRetentionSec=1month
"""

SYSCTL = """\
# What the kubelet insists on (protect-kernel-defaults): without these it does not start.
vm.panic_on_oom=0
vm.overcommit_memory=1
kernel.panic=10
kernel.panic_on_oops=1
# Ubuntu's 128 are used up by some dozens of pods that watch files ("too many open files").
fs.inotify.max_user_instances=8192
fs.inotify.max_user_watches=524288
"""

# Made at each boot, and by hand before cloud-init's files get their first reader: cloud-init makes folders that all may enter.
FOLDERS = """\
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
