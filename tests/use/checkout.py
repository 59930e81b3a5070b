"""A copy of this checkout after months of use: every ordinary change was made in it, as the documentation says."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from ops.release.command import set_images
from ops.stackfile import set_value
from tests.recipes import ROOT, SETTINGS, recipe

LEFT_OUT = (".git", ".venv", ".rehearsal", "*_cache", "__pycache__")
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
    "honeydue:edge.clientCertificate": "asked",
    "honeydue:scale.web": 2,
    "honeydue:scale.api.max": 9,
    "honeydue:database.endpoint": "direct",
    "honeydue:environment.EMAIL_PORT": "465",
    "honeydue:redis.memoryMi": 1024,
    "honeydue:prices.primaryIpv4": 0.6,
}


def used(folder: Path) -> Path:
    """Makes the copy in that folder, which does not exist yet."""
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for environment in (".venv", "policy/.venv"):
        (folder / environment).symlink_to(ROOT / environment)
    settings = folder / SETTINGS
    # Other names than the page's, and than those by which tests/unit follows it once more.
    recipe("Add a node", instead=("4", "8")).apply(folder)
    recipe("Add a host name", instead=("www", "status")).apply(folder)
    recipe("Add a service", instead=("docs", SERVICE)).apply(folder)
    set_images(settings, {"api": "1234567890", "worker": "1234567890", "web": "ffffffffff", SERVICE: "eeeeeeeeee"})
    set_value(settings, "honeydue:adopted", ADOPTED)
    for path, value in CHANGED.items():
        set_value(settings, path, value)
    _rewrite(settings)
    for follow_up in ("tests.manifests.connectivity", "tests.diagram.picture"):
        subprocess.run([sys.executable, "-m", follow_up], cwd=folder, check=True)
    return folder


def _rewrite(settings: Path) -> None:
    """As after `pulumi stack init` and `pulumi config set`: no comment, no quotes and no order is left, and secrets are there."""
    document = yaml.safe_load(settings.read_text())
    document["config"] |= {
        f"honeydue:{key}": {"secure": "v1:of-production"} for key in ("postgresPassword", "joinToken", "adminBasicAuth")
    }
    document["encryptionsalt"] = "v1:salt-of-production"
    settings.write_text(yaml.safe_dump(document))
