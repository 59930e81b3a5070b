"""What lives in an adopted cluster and Kubernetes never changes in place: it stays as it is, and the program says the same of it.

`make adopt` finds these and writes them to the stack's settings; a cluster that the program made has none.
"""

from collections.abc import Mapping

from infra.settings.model import Model

Labels = Mapping[str, str]


class Volume(Model):
    """The claim that an adopted app keeps its data on, and the volume it is bound to, if it is."""

    claim: str
    storage_class: str
    storage: str
    volume: str | None = None


class Adopted(Model):
    """Selectors of Deployments, cluster addresses of Services and volumes, each by the app's name."""

    selectors: Mapping[str, Labels] = {}
    cluster_ips: Mapping[str, str] = {}
    volumes: Mapping[str, Volume] = {}

    def selector(self, app: str) -> Labels:
        """The labels a Service, a budget or a policy finds an app by; nothing else carries them.

        An adopted app keeps those it is known by everywhere, not in its Deployment alone: its old pods carry no others, and a
        policy or a Service that asked for ours would lose them until they have rolled.
        """
        return self.selectors.get(app) or {"app.kubernetes.io/name": app}
