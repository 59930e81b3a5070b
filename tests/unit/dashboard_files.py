"""Writes dashboards/generated/, those of the example settings with metrics and alerts: `make dashboard-files`.

`make dashboards` and a rehearsal render the dashboards of their own settings instead.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from dashboards import dashboards, grafana, vmui
from infra.settings.schema import Settings
from tests.recipes import ROOT
from tests.unit.flips import example
from tests.unit.placeholders import OPTIONAL_SETTINGS

GENERATED = ROOT / "dashboards/generated"
MONITORED: Mapping[str, object] = {
    "monitoring": OPTIONAL_SETTINGS["honeydue:monitoring"],
    "cluster.etcdExposeMetrics": True,
}
"""The changes of the example settings that switch on every scrape job."""


def monitored() -> Settings:
    return example(MONITORED)


def write(folder: Path) -> None:
    """Writes all files into an empty or a new folder."""
    rendered = dashboards(monitored())
    vmui.write(rendered, folder / "vmui")
    (folder / "grafana").mkdir(parents=True)
    for dashboard in rendered:
        content = json.dumps(grafana.render(dashboard), indent=2) + "\n"
        (folder / "grafana" / f"{dashboard.uid}.json").write_text(content)


if __name__ == "__main__":
    shutil.rmtree(GENERATED, ignore_errors=True)
    write(GENERATED)
