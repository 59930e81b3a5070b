"""Marks a release in Grafana with an annotation, which dashboards show by its tag (dashboards/grafana.py).

A release never fails because of it: each error is one line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import JsonValue, ValidationError
from rich.console import Console

from infra.settings.grafana import RELEASE_TAG, GrafanaSettings
from infra.settings.messages import PROJECT
from ops.engine.history import last_updates
from ops.engine.stack import Settings, read_settings
from ops.errors import OpsError
from ops.plan import Plan
from ops.secret_settings import required_secret

GRAFANA, IMAGES = f"{PROJECT}:grafana", f"{PROJECT}:images"
NOT_IMAGES = ("registry",)
"""Keys of `honeydue:images` that are no image."""

console = Console(soft_wrap=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A release that has started. `running` are the tags of the last complete update; empty before the first one."""

    stack: str
    running: Mapping[str, str]
    start: datetime

    def post(self, *, completed: bool) -> str | None:
        """Post the annotation, if an image has another tag than before. Returns why it could not be posted."""
        try:
            settings = read_settings(self.stack)
            released = _tags(settings.get("images"))
            if released == self.running:
                return None
            _post(settings, self._text(released, completed=completed), start=self.start)
        except OpsError as error:
            return f"the release is not marked in Grafana: {error}"
        return None

    def _text(self, released: Mapping[str, str], *, completed: bool) -> str:
        changes = [
            f"{app} {f'{before} → ' if (before := self.running.get(app)) else ''}{tag}"
            for app, tag in released.items()
            if self.running.get(app) != tag
        ]
        minutes, seconds = divmod(round((datetime.now(UTC) - self.start).total_seconds()), 60)
        duration = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        return f"{'Released' if completed else 'Failed release of'} {', '.join(changes)} in {duration}"


def mark(annotation: Annotation | None, *, completed: bool) -> None:
    """Post the annotation, and print why if that is not possible."""
    if annotation and (reason := annotation.post(completed=completed)):
        console.print(reason, style="yellow", markup=False)


def started(stack: str, plan: Plan) -> Annotation | None:
    """The release of this plan, which starts now. None without `honeydue:grafana`, or without a history."""
    if not plan.config.get(GRAFANA):
        return None
    try:
        _, complete = last_updates(stack)
    except OpsError:
        return None
    running = _tags(complete.setting(IMAGES)) if complete else {}
    return Annotation(stack=stack, running=running, start=datetime.now(UTC))


def _tags(images: JsonValue) -> Mapping[str, str]:
    """The image of each app, without digests."""
    content = images if isinstance(images, dict) else {}
    return {app: str(tag).partition("@")[0] for app, tag in content.items() if app not in NOT_IMAGES}


def grafana_url(settings: Settings) -> str:
    """The URL of Grafana. Raises an OpsError if the setting is invalid."""
    try:
        return GrafanaSettings.model_validate(settings.get("grafana")).url
    except ValidationError:
        raise OpsError(f"{GRAFANA} is invalid, as make preview explains") from None


def _post(settings: Settings, text: str, *, start: datetime) -> None:
    from ops.grafana import TOKEN, Grafana  # noqa: PLC0415  # slow to import, and every `up` imports this module

    token = required_secret(settings, TOKEN)
    with Grafana(url=grafana_url(settings), token=token) as grafana:
        grafana.annotate(text, start=start, end=datetime.now(UTC), tags=[RELEASE_TAG, str(settings.get("domain"))])
