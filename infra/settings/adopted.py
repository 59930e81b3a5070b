"""Immutable fields of imported objects, declared exactly as they exist.

`make adopt` reads them from the cluster and writes them to the stack's settings. They are empty for a cluster that this
program created.
"""

from collections.abc import Mapping

from infra.settings.model import Model
from infra.settings.types import Text

Labels = Mapping[Text, str]


class Volume(Model):
    """The PersistentVolumeClaim of an adopted app, and the name of its volume if the claim is bound."""

    claim: Text
    storage_class: Text
    storage: Text
    volume: Text | None = None


class Adopted(Model):
    """Selectors of Deployments, cluster IPs of Services and volumes, by the name of the app."""

    selectors: Mapping[Text, Labels] = {}
    cluster_ips: Mapping[Text, Text] = {}
    volumes: Mapping[Text, Volume] = {}

    def selector(self, app: str) -> Labels:
        """The labels by which Deployments, Services, disruption budgets and policies select the pods of an app.

        An adopted app keeps its existing labels in all of them, not only in its Deployment. The pods that already run
        have no other labels, so a Service or a policy with a new selector would lose them until they are replaced.
        """
        return self.selectors.get(app) or {"app.kubernetes.io/name": app}
