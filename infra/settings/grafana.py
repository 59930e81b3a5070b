"""Settings of Grafana. Only the commands of ops/ use them: the program declares nothing there."""

from infra.settings.model import Model
from infra.settings.types import HttpsUrl, Text

RELEASE_TAG = "release"
"""The tag of the annotations that mark a release."""


class GrafanaSettings(Model):
    """Grafana at `url`, for the dashboards in `folder` (its title) and for the annotations of releases."""

    url: HttpsUrl
    folder: Text = "honeyDue"
