"""What one node is told when it is born."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Boot:
    """Everything about one node that is not the same for all of them.

    Attributes:
        address: where the other nodes reach it, public or private by setting.
        peers: the same kind of address, of the other servers.
        founds: whether it may found the cluster when no peer answers.
        token: in k3s' full form, K10<hash of the authority>::server:<password>.
        authority: PEM by file below /var/lib/rancher/k3s/server/tls; empty but for the founder.
    """

    hostname: str
    role: Literal["server", "agent"]
    address: str
    public_address: str
    peers: Sequence[str]
    founds: bool
    token: str
    authority: Mapping[str, str]
