"""cloud-init itself, as Debian packages it: the judge of what nodes are told. It is on no Python index, so it is fetched.

Only its Python files are unpacked, into the same cache as the built programs; what they import is in requirements-dev.txt.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import requests
from debian.debfile import DebFile

from tools.build import one_at_a_time
from tools.programs import BuildError, cache_folder

VERSION = "22.4.2-1+deb12u4"
SHA256 = "c18c9b1a999268413f215371ae6382f8705a437b2b24c049d6dbafcc111a1d09"
SOURCES = (
    f"https://deb.debian.org/debian/pool/main/c/cloud-init/cloud-init_{VERSION}_all.deb",
    # By the file's SHA-1, for the day when Debian has a newer one: nothing leaves the snapshots.
    "https://snapshot.debian.org/file/88cb46e393c6be8a36662a5c3f2e66bb123833ef",
)
MODULES = "./usr/lib/python3/dist-packages/"
TIMEOUT_SECONDS = 60


def modules() -> Path:
    """The folder to put on PYTHONPATH, fetched when it is missing; a BuildError in one line when that fails."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"cloud-init-{VERSION}-{SHA256[:12]}"
    with one_at_a_time(cache):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as scratch:
                package, unpacked = Path(scratch, "cloud-init.deb"), Path(scratch, "unpacked")
                package.write_bytes(_fetched())
                _unpack(package, unpacked)
                os.rename(unpacked / MODULES, target)
    return target


def _fetched() -> bytes:
    said = []
    for url in SOURCES:
        try:
            answer = requests.get(url, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
        except requests.RequestException as error:
            said.append(f"{url}: {type(error).__name__}")
            continue
        if hashlib.sha256(answer.content).hexdigest() == SHA256:
            return answer.content
        said.append(f"{url}: another file than the one that was reviewed")
    raise BuildError(f"cloud-init {VERSION} could not be fetched, check the network ({'; '.join(said)})")


def _unpack(package: Path, folder: Path) -> None:
    with DebFile(package) as deb:
        data = deb.data.tgz()
        # "data": no path leads out of the folder, whatever the archive says.
        data.extractall(folder, [one for one in data if one.name.startswith(MODULES)], filter="data")
