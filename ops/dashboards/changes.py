"""Compares a rendered dashboard with the one in Grafana."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ops.grafana import MESSAGE, Folder, Grafana, Json, Version

PANELS = "panels"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a push does to one dashboard.

    Attributes:
        version: the version in Grafana that it replaces. None for a new dashboard.
        lines: what changes, for the operator.
        edited: the newest version, if a person stored it.
    """

    dashboard: Json
    version: int | None
    lines: tuple[str, ...]
    edited: Version | None = None

    @property
    def title(self) -> str:
        return str(self.dashboard["title"])


def change_of(dashboard: Json, grafana: Grafana, folder: Folder | None) -> Change | None:
    """The change that makes Grafana's dashboard equal to this one. None if it already is."""
    uid = str(dashboard["uid"])
    stored = grafana.dashboard(uid)
    if stored is None:
        return Change(dashboard=dashboard, version=None, lines=("new",))
    lines = [*differences(dashboard, stored.dashboard)]
    if folder is None or stored.meta.folder_uid != folder.uid:
        lines.append("moves to the folder of the settings")
    if not lines:
        return None
    last = grafana.last_version(uid)
    edited = last if last and last.message != MESSAGE else None
    return Change(dashboard=dashboard, version=stored.meta.version, lines=tuple(lines), edited=edited)


def differences(new: Json, stored: Json) -> Iterator[str]:
    """One line for each difference that a reader of the dashboard notices."""
    panels, stored_panels = _panels(new), _panels(stored)
    yield from (f"adds the panel {title}" for title in panels if title not in stored_panels)
    yield from (f"removes the panel {title}" for title in stored_panels if title not in panels)
    yield from (
        f"changes the panel {title}"
        for title, panel in panels.items()
        if title in stored_panels and not contains(stored_panels[title], panel)
    )
    yield from (
        f"changes {key}" for key, value in new.items() if key != PANELS and not contains(stored.get(key), value)
    )


def contains(stored: JsonValue, new: JsonValue) -> bool:
    """Whether Grafana's value has everything of the new one.

    It also has defaults that Grafana adds when a person stores the dashboard, and may lack empty values.
    """
    if isinstance(new, Mapping):
        return isinstance(stored, Mapping) and all(contains(stored.get(key), value) for key, value in new.items())
    if isinstance(new, list):
        return (
            isinstance(stored, list)
            and len(stored) == len(new)
            and all(contains(ours, theirs) for ours, theirs in zip(stored, new, strict=True))
        )
    return stored == new


def _panels(dashboard: Json) -> Mapping[str, JsonValue]:
    panels = dashboard.get(PANELS)
    return {
        str(panel.get("title", "")): panel
        for panel in (panels if isinstance(panels, list) else [])
        if isinstance(panel, dict)
    }
