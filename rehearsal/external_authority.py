"""The certificate authority of the servers outside of the cluster whose certificates pods verify.

All worlds of a machine have the same one, in the cache of programs. Its certificate is in the images of those pods:
with an authority per world, every world would write its own archives of the images.
"""

import shutil
import time
from datetime import timedelta
from pathlib import Path

from rehearsal import pki
from tools.cache import cache_folder, cache_lock
from tools.staging import staging_folder

NAME = "ca"
RENEWAL = pki.VALIDITY / 2
"""An older authority is replaced. Its certificates are valid for longer than any world lives."""


def external_authority() -> pki.CertificateAuthority:
    """Loads the authority, or creates it if it does not exist or is too old."""
    cache = cache_folder()
    folder = cache / "external-ca"
    if not _is_valid(folder):
        with cache_lock(cache):
            # Another process may have created it in the meantime.
            if not _is_valid(folder):
                _create(folder)
    return pki.CertificateAuthority.load_or_create(folder, NAME)


def _is_valid(folder: Path) -> bool:
    certificate = pki.key_pair(folder, NAME).certificate
    return certificate.exists() and timedelta(seconds=time.time() - certificate.stat().st_mtime) < RENEWAL


def _create(folder: Path) -> None:
    # The folder appears with both files: other processes read it without the lock.
    with staging_folder(folder) as staging:
        pki.CertificateAuthority.create(staging, NAME)
        shutil.rmtree(folder, ignore_errors=True)
