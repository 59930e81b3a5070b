"""The network of a world with real nodes: a namespace of the kernel, in which the world's programs run and which is the nodes' router.

It has no link to the machine's own network: the nodes carry production's addresses, and nothing said to them, or to the
internet by a pod, can leave. The kernel removes it, with links, routes and filter rules, when its last process has ended.
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
"""The world's own address: of the range for benchmarks (RFC 2544), which is nobody's. Kubernetes takes no loopback as an endpoint."""
POOLER, DIRECT = "198.18.0.2", "198.18.0.3"
"""Where the database outside of the cluster is, by its two names."""
LINK = "eth0"
START_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """How one node is attached: its process, its number and addresses."""

    pid: int
    """Of a process in its network namespace."""
    number: int
    address: str
    pods: IPv4Network
    """Its own range."""
    cluster: IPv4Network
    """All pods'."""


def of(pid: int) -> Path:
    """A process' network namespace."""
    return Path(f"/proc/{pid}/ns/net")


def await_own(pid: int) -> None:
    """Returns when that process has left our network namespace for its own."""
    ours = os.stat("/proc/thread-self/ns/net").st_ino
    patiently = Retrying(
        retry=retry_if_result(lambda inode: inode == ours), stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.01)
    )
    patiently(lambda: of(pid).stat().st_ino)


def enter(namespace: Path) -> int:
    """Moves this thread, and what it starts from now on, into that network; returns a descriptor of the one it was in."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    netns.setns(str(namespace), flags=0)
    return before


def leave(before: int) -> None:
    """Moves this thread back."""
    netns.setns(before)
    os.close(before)


@contextmanager
def inside(namespace: Path) -> Iterator[None]:
    """For the time of a block."""
    before = enter(namespace)
    try:
        yield
    finally:
        leave(before)


def set_up() -> None:
    """Makes this namespace, a new one, the router."""
    _forward()
    with IPRoute() as kernel:
        loopback = kernel.link_lookup(ifname="lo")[0]
        kernel.link("set", index=loopback, state="up")
        for address in (ROUTER, POOLER, DIRECT):
            kernel.addr("add", index=loopback, address=address, prefixlen=32)
        # As on the internet: who is not there, a dead node say, is silent.
        kernel.route("add", dst="0.0.0.0/0", type="blackhole")


def attach(node: Attachment) -> None:
    """Links a node to this namespace, and tells each how to reach the other."""
    name = _link(node.number)
    with IPRoute() as kernel:
        kernel.link("add", kind="veth", ifname=name, peer={"ifname": LINK, "net_ns_pid": node.pid})
        link = kernel.link_lookup(ifname=name)[0]
        kernel.link("set", index=link, state="up")
        kernel.route("add", dst=f"{node.address}/32", oif=link, prefsrc=ROUTER)
        # RTNH_F_ONLINK: the node is no neighbour by any range, only by the route above.
        kernel.route("add", dst=str(node.pods), gateway=node.address, oif=link, prefsrc=ROUTER, flags=["onlink"])
    with inside(of(node.pid)), IPRoute() as kernel:
        _forward()
        loopback = kernel.link_lookup(ifname="lo")[0]
        kernel.link("set", index=loopback, state="up")
        link = kernel.link_lookup(ifname=LINK)[0]
        kernel.link("set", index=link, state="up")
        kernel.addr("add", index=link, address=node.address, prefixlen=32)
        kernel.route("add", dst=f"{ROUTER}/32", oif=link, scope="link")
        kernel.route("add", dst="default", gateway=ROUTER, oif=link)
        # The address from which a node speaks to the pods of others: with flannel's VXLAN it is the VXLAN's.
        first = str(node.pods.network_address)
        kernel.addr("add", index=loopback, address=first, prefixlen=32)
        kernel.route("add", dst=str(node.cluster), gateway=ROUTER, oif=link, prefsrc=first)


def detach(number: int) -> None:
    """Takes the link to that node away: from now on nothing comes from it, not even a goodbye."""
    with IPRoute() as kernel:
        kernel.link("del", index=kernel.link_lookup(ifname=_link(number))[0])


def _link(number: int) -> str:
    return f"node{number}"


def _forward() -> None:
    # Of the namespace of the thread that writes.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
