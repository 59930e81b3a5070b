"""What lives in an adopted cluster and Kubernetes never changes in place: it stays as it is, and the program says the same of it.

`make adopt` finds these and writes them to the stack's settings; a cluster that the program made has none.
"""

from collections.abc import Mapping

from infra.forms import Model

Labels = Mapping[str, str]


class Volume(Model):
    """The claim that an adopted redis keeps its data on, and the volume it is bound to."""

    claim: str
    storage_class: str
    storage: str
    volume: str


class Adopted(Model):
    """Selectors of Deployments and cluster addresses of Services, each by the app's name; the volume of redis."""

    selectors: Mapping[str, Labels] = {}
    cluster_ips: Mapping[str, str] = {}
    redis: Volume | None = None

    def selector(self, app: str) -> Labels:
        """The labels a Service, a budget or a policy finds an app by; nothing else carries them.

        An adopted app keeps those it is known by everywhere, not in its Deployment alone: its old pods carry no others, and a
        policy or a Service that asked for ours would lose them until they have rolled.
        """
        return self.selectors.get(app) or {"app.kubernetes.io/name": app}
