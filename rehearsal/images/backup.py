"""The image honeydue-backup, with the programs of images/backup/Dockerfile.

Debian's PostgreSQL replaces the official image.
"""

from infra.settings.backups import REPOSITORY
from rehearsal.images.archive import Image
from rehearsal.images.catalog import UNPRIVILEGED, full_reference
from rehearsal.images.trust import trusted_authority
from rehearsal.layout import CHECKOUT
from tools import debian
from tools.cache import executable

POSTGRESQL = "/usr/lib/postgresql/15/bin"
LIBRARY = "/usr/local/lib/honeydue"


def backup(registry: str, tag: str) -> Image:
    """The image by its reference in the stack's settings."""
    program = CHECKOUT / "images" / "backup"
    return Image(
        reference=full_reference(f"{registry}/{REPOSITORY}:{tag}"),
        layers=[
            {"/": debian.root_filesystem("backup")},
            {"/usr/local/bin/age": executable("age"), "/usr/local/bin/rclone": executable("rclone")},
            {f"{LIBRARY}/backup/{file.name}": file for file in sorted(program.glob("*.py"))},
            trusted_authority(),
        ],
        entrypoint=["python3", "-m", "backup"],
        environment={
            "PATH": f"{POSTGRESQL}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": LIBRARY,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        user=UNPRIVILEGED,
    )
