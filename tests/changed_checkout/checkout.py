"""A copy of this checkout with the changes of the settings and the program that the documentation describes."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from ops.release.command import set_images
from ops.stackfile import set_value
from tests.recipes import ROOT, SETTINGS, recipe

IGNORED = (".git", ".venv", ".rehearsal", "*_cache", "__pycache__")
SERVICE = "pages"
ADOPTED = {
    "selectors": {"api": {"app": "honeydue-api", "app.kubernetes.io/name": "backend"}},
    "clusterIps": {"api": "10.43.167.83"},
    "volumes": {"redis": {"claim": "data-of-redis", "storageClass": "local-path", "storage": "2Gi", "volume": "pvc-1"}},
}
CHANGED = {
    "honeydue:access.sshPort": 2222,
    "honeydue:access.operators": ["203.0.113.0/24"],
    "honeydue:edge.minTlsVersion": "1.3",
    "honeydue:edge.clientCertificate": "requested",
    "honeydue:scale.web": 2,
    "honeydue:scale.api.max": 9,
    "honeydue:database.endpoint": "direct",
    "honeydue:environment.EMAIL_PORT": "465",
    "honeydue:redis.memoryMi": 1024,
    "honeydue:prices.primaryIpv4": 0.6,
}


def changed_checkout(folder: Path) -> Path:
    """Creates the copy in `folder`, which must not exist yet."""
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*IGNORED))
    for environment in (".venv", "policy/.venv"):
        (folder / environment).symlink_to(ROOT / environment)
    settings = folder / SETTINGS
    # The unit tests, which run in the copy, apply the same recipes once more under the names of the page. These differ.
    recipe("Add a node", instead=("4", "8")).apply(folder)
    recipe("Add a host name", instead=("www", "status")).apply(folder)
    recipe("Add a service", instead=("docs", SERVICE)).apply(folder)
    set_images(settings, {"api": "1234567890", "worker": "1234567890", "web": "ffffffffff", SERVICE: "eeeeeeeeee"})
    set_value(settings, "honeydue:adopted", ADOPTED)
    for path, value in CHANGED.items():
        set_value(settings, path, value)
    _rewrite(settings)
    for generator in ("tests.manifests.connectivity", "tests.diagram.generate"):
        subprocess.run([sys.executable, "-m", generator], cwd=folder, check=True)
    return folder


def _rewrite(settings: Path) -> None:
    """Rewrites the file as `pulumi config set` does: without comments, quotes and order, and with encrypted secrets."""
    document = yaml.safe_load(settings.read_text())
    document["config"] |= {
        f"honeydue:{key}": {"secure": "v1:of-production"} for key in ("postgresPassword", "joinToken", "adminBasicAuth")
    }
    document["encryptionsalt"] = "v1:salt-of-production"
    settings.write_text(yaml.safe_dump(document))
