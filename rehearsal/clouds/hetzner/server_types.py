"""The server types of Hetzner Cloud."""

from typing import Final

# The disk size in GB of each type, from https://www.hetzner.com/cloud (2026-04).
DISKS: Final = {
    "cx22": 40,
    "cx23": 40,
    "cx32": 80,
    "cx33": 80,
    "cx42": 160,
    "cx43": 160,
    "cx52": 320,
    "cx53": 320,
    "cpx11": 40,
    "cpx21": 80,
    "cpx31": 160,
    "cpx41": 240,
    "cpx51": 360,
    "cpx12": 40,
    "cpx22": 80,
    "cpx32": 160,
    "cpx42": 320,
    "cpx52": 480,
    "cpx62": 640,
    "cax11": 40,
    "cax21": 80,
    "cax31": 160,
    "cax41": 320,
    "ccx13": 80,
    "ccx23": 160,
    "ccx33": 240,
    "ccx43": 360,
    "ccx53": 600,
    "ccx63": 960,
}
