"""Writes docs/screenshots/: each dashboard of a world with metrics and alerts, as vmui shows it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dashboards import Dashboard
from rehearsal.external import vmui_proxy
from rehearsal.external.metrics_database import MetricsDatabase
from tests.real.browser import Page, page
from tests.recipes import ROOT

FOLDER = ROOT / "docs/screenshots"
MAX_BYTES = 200_000
COLUMNS, WIDTH, PANEL_HEIGHT, MARGIN = 3, 1800, 640, 200
"""Of the window, in pixels."""
SCALE = 0.6
"""Pixels of the file for each pixel of the window."""
COMPACT = """
.vm-predefined-dashboard-panels-panel { grid-column: span 4 !important; }
.vm-legend-group-header, .vm-legend-item-stats, .vm-predefined-panel-header__info { display: none !important; }
.vm-legend-item-container { display: flex; flex-wrap: wrap; }
"""
"""Three columns, and legends without queries and statistics: a file would otherwise be several times larger."""
LOAD_SECONDS = 120.0
TABS = "[...document.querySelectorAll('.vm-predefined-panels-tabs__tab')]"
PANELS = "document.querySelectorAll('.vm-predefined-panel').length"
CHARTS = "document.querySelectorAll('.vm-predefined-panel .vm-graph-view canvas, .vm-predefined-panel canvas').length"
LOADING = "document.querySelectorAll('.vm-spinner').length"
ERRORS = "[...document.querySelectorAll('.vm-predefined-panel .vm-alert')].map(alert => alert.innerText)"
LEGENDS = (
    "[...document.querySelectorAll('.vm-predefined-panel')]"
    ".filter(panel => !panel.querySelector('.vm-legend-item'))"
    ".map(panel => panel.querySelector('.vm-predefined-panel-header__title').innerText)"
)
"""The titles of panels without a series."""
HEIGHT = "document.querySelector('.vm-predefined-panels__dashboards').getBoundingClientRect().bottom"


@contextmanager
def served(database: MetricsDatabase) -> Iterator[str]:
    """Serves vmui in the network of this thread, and yields the address of the dashboards."""
    listener = vmui_proxy.listen()
    server = vmui_proxy.server(vmui_proxy.application(database), listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield vmui_proxy.url(listener)
    server.shutdown()
    listener.close()


def write(database: MetricsDatabase, dashboards: Sequence[Dashboard], *, minutes: int, folder: Path = FOLDER) -> None:
    """Writes one PNG for each dashboard, with the last minutes."""
    with served(database) as url, page() as browser:
        browser.open(f"{url}?g0.range_input={minutes}m&g0.relative_time=none")
        browser.resize(WIDTH, PANEL_HEIGHT, scale=SCALE)
        browser.evaluate(f"document.head.appendChild(document.createElement('style')).textContent = `{COMPACT}`")
        browser.wait_until(f"{TABS}.length == {len(dashboards)}", seconds=LOAD_SECONDS)
        for number, dashboard in enumerate(dashboards):
            _show(browser, number, dashboard)
            file = folder / f"{dashboard.uid}.png"
            browser.screenshot(file)
            assert file.stat().st_size < MAX_BYTES, f"{file.name} has {file.stat().st_size} bytes"


def _show(browser: Page, number: int, dashboard: Dashboard) -> None:
    """Opens the tab of a dashboard, and waits until all panels show series."""
    count = len(dashboard.panels)
    rows = -(-count // COLUMNS)
    # vmui only loads panels that are visible.
    browser.resize(WIDTH, MARGIN + rows * PANEL_HEIGHT, scale=SCALE)
    browser.evaluate(f"{TABS}[{number}].click()")
    browser.wait_until(f"{PANELS} == {count} && {CHARTS} >= {count} && {LOADING} == 0", seconds=LOAD_SECONDS)
    browser.wait_until(f"{LEGENDS}.length == 0", seconds=LOAD_SECONDS)
    assert browser.evaluate(ERRORS) == []
    browser.resize(WIDTH, round(browser.evaluate(HEIGHT)) + 20, scale=SCALE)
    browser.wait_until(f"{LOADING} == 0", seconds=LOAD_SECONDS)
