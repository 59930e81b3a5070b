"""What a new server does on its first boot. It never reaches a living one: `userData` is ignored there."""

import yaml


def user_data(*, hostname: str) -> str:
    """Cloud-init user data: the node's name, security upgrades from the first minute (book ch20). At most 32 KiB at Hetzner."""
    config = {
        "hostname": hostname,
        "preserve_hostname": False,
        "package_update": True,
        "packages": ["unattended-upgrades", "fail2ban"],
        # Keys only: a server created with keys has no password, and none shall be set later.
        "ssh_pwauth": False,
    }
    return "#cloud-config\n" + yaml.safe_dump(config, sort_keys=False)
