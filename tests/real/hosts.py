"""Host names of the site, source addresses of the clients that connect to its nodes, and a way to resolve names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

API, APEX, APP, ADMIN = "api.myhoneydue.com", "myhoneydue.com", "app.myhoneydue.com", "admin.myhoneydue.com"
CLOUDFLARE_ADDRESS = "173.245.48.9"
"""An address of Cloudflare's published ranges."""
OTHER_ADDRESS = "192.0.2.7"
"""An address outside Cloudflare's ranges (TEST-NET-1)."""


def resolving(addresses: Mapping[str, str], folder: Path) -> Sequence[str]:
    """A prefix of a command, which then resolves these host names. `folder` gets a file in the format of /etc/hosts."""
    file = folder / "hosts"
    file.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {host}\n" for host, address in addresses.items()))
    replace_hosts = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", replace_hosts, str(file)]
