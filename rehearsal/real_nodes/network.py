"""The network namespace of a world with real nodes. The world's programs run in it, and it routes between the nodes.

It has no link to the host's network. The nodes have the addresses of production, and no packet to them, or from a pod
to the internet, can leave the namespace. The kernel removes it with its links, routes and iptables rules when its last
process has ended.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from pyroute2 import IPRoute, netns
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

ROUTER = "198.18.0.1"
"""The address of the control plane, in the range that RFC 2544 reserves for benchmarks: no host on the internet has it.
An address of loopback is impossible because Kubernetes refuses it as an endpoint."""
POOLER, DIRECT = "198.18.0.2", "198.18.0.3"
"""The addresses of the external database: of its pooler and of PostgreSQL itself."""
METRICS, MAIL, LOGS = "198.18.0.4", "198.18.0.5", "198.18.0.6"
"""The addresses of the metrics database, of the mail server and of the log database."""
STORE = "198.18.0.9"
"""The address of the object store."""
TRACES, GATEWAY = "198.18.0.7", "198.18.0.8"
"""The addresses of the trace collector, and of the gateway if servers have the same host name."""
LINK = "eth0"
START_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """The link of one node to the router."""

    pid: int
    """A process in the node's network namespace."""
    number: int
    """The position of the node in the settings, from 1. It names the link."""
    address: str
    pods: IPv4Network
    """The pod CIDR of the node."""
    cluster: IPv4Network
    """The cluster CIDR: the pods of all nodes."""


def namespace_of(pid: int) -> Path:
    """The network namespace of a process."""
    return Path(f"/proc/{pid}/ns/net")


def wait_for_namespace(pid: int) -> None:
    """Returns when that process has left this thread's network namespace and entered a new one."""
    current = os.stat("/proc/thread-self/ns/net").st_ino
    retrying = Retrying(
        retry=retry_if_result(lambda inode: inode == current),
        stop=stop_after_delay(START_SECONDS),
        wait=wait_fixed(0.01),
    )
    retrying(lambda: namespace_of(pid).stat().st_ino)


def enter(namespace: Path) -> int:
    """Moves this thread, and processes that it starts, into a namespace. Returns a descriptor of the previous one."""
    previous = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    netns.setns(str(namespace), flags=0)
    return previous


def leave(previous: int) -> None:
    """Moves this thread back to the namespace whose descriptor `enter` returned, and closes the descriptor."""
    netns.setns(previous)
    os.close(previous)


@contextmanager
def entered(namespace: Path) -> Iterator[None]:
    """Moves this thread into a namespace for the duration of a `with` block."""
    previous = enter(namespace)
    try:
        yield
    finally:
        leave(previous)


def set_up_router() -> None:
    """Makes the current namespace, which must be new, the router between the nodes."""
    _enable_forwarding()
    with IPRoute() as kernel:
        loopback = kernel.link_lookup(ifname="lo")[0]
        kernel.link("set", index=loopback, state="up")
        for address in (ROUTER, POOLER, DIRECT, METRICS, MAIL, LOGS, TRACES, GATEWAY, STORE):
            kernel.addr("add", index=loopback, address=address, prefixlen=32)
        # Drop packets to unknown addresses, for example of a node that is off, without an ICMP error.
        kernel.route("add", dst="0.0.0.0/0", type="blackhole")


def attach(node: Attachment) -> None:
    """Links a node to the current namespace, and adds the routes on both sides."""
    name = _link_name(node.number)
    with IPRoute() as kernel:
        kernel.link("add", kind="veth", ifname=name, peer={"ifname": LINK, "net_ns_pid": node.pid})
        link = kernel.link_lookup(ifname=name)[0]
        kernel.link("set", index=link, state="up")
        kernel.route("add", dst=f"{node.address}/32", oif=link, prefsrc=ROUTER)
        # RTNH_F_ONLINK: no subnet contains the gateway, so that the kernel would otherwise refuse it.
        kernel.route("add", dst=str(node.pods), gateway=node.address, oif=link, prefsrc=ROUTER, flags=["onlink"])
    with entered(namespace_of(node.pid)), IPRoute() as kernel:
        _enable_forwarding()
        loopback = kernel.link_lookup(ifname="lo")[0]
        kernel.link("set", index=loopback, state="up")
        link = kernel.link_lookup(ifname=LINK)[0]
        kernel.link("set", index=link, state="up")
        kernel.addr("add", index=link, address=node.address, prefixlen=32)
        kernel.route("add", dst=f"{ROUTER}/32", oif=link, scope="link")
        kernel.route("add", dst="default", gateway=ROUTER, oif=link)
        # The source address of packets from this node to the pods of other nodes. With flannel it is the address of
        # the VXLAN interface: the first of the node's pod CIDR.
        first = str(node.pods.network_address)
        kernel.addr("add", index=loopback, address=first, prefixlen=32)
        kernel.route("add", dst=str(node.cluster), gateway=ROUTER, oif=link, prefsrc=first)


def detach(number: int) -> None:
    """Deletes the link to a node. Connections to it then time out instead of being closed."""
    with IPRoute() as kernel:
        kernel.link("del", index=kernel.link_lookup(ifname=_link_name(number))[0])


def _link_name(number: int) -> str:
    return f"node{number}"


def _enable_forwarding() -> None:
    # The kernel applies it to the network namespace of the thread that writes the file.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
