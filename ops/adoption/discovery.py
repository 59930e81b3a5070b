"""What an adoption would take over: every resource that the program would create, looked up where it may already live."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue, TypeAdapter, ValidationError

from infra.settings import topology
from infra.settings.adopted import Adopted
from ops.adoption.findings import Finding, Verdict, Wanted, dig
from ops.adoption.lookups import GENERATED, Lookup, find
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.adoption.lookups.hetzner import Hetzner
from ops.adoption.lookups.kubernetes import DEPLOYMENT, Kubernetes
from ops.adoption.undeclared import beside
from ops.engine import PROVIDER, Entry, ImportFile
from ops.errors import OpsError
from ops.kubernetes import Cluster
from ops.plan import Plan

PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found, by URN, and what the settings must say of it; `beside` lives in the namespace without being declared."""

    findings: Mapping[str, Finding]
    adopted: Adopted
    beside: Sequence[str]

    @property
    def ids(self) -> Mapping[str, str]:
        """Of what was found, by URN."""
        return {urn: one.id for urn, one in self.findings.items() if one.verdict is Verdict.FOUND}

    @property
    def ambiguous(self) -> int:
        """How many a person must decide."""
        return sum(one.verdict is Verdict.AMBIGUOUS for one in self.findings.values())


@dataclass(frozen=True, kw_only=True)
class Known:
    """The settings that tell where to look."""

    hetzner_token: str
    cloudflare_token: str
    nodes: Mapping[str, topology.Node]
    adopted: Adopted

    @classmethod
    def of(cls, settings: Mapping[str, JsonValue]) -> "Known":
        try:
            return cls(
                hetzner_token=str(settings["hetznerToken"]),
                cloudflare_token=str(settings["cloudflareToken"]),
                nodes=TypeAdapter(dict[str, topology.Node]).validate_python(settings["nodes"]),
                adopted=Adopted.model_validate(settings.get("adopted") or {}),
            )
        except (KeyError, ValidationError) as error:
            # Only what the program itself has already accepted gets here.
            raise OpsError(
                f"the stack's settings changed while they were read ({type(error).__name__}); run it again"
            ) from None


class Surveyor:
    """Looks things up one by one, so that a person sees how far it is."""

    def __init__(self, known: Known, plan: Plan, cluster: Cluster) -> None:
        self._plan = plan
        self._cluster = cluster
        self._kubernetes = Kubernetes(cluster, adopted=known.adopted, mounted_by=mounted_by(plan))

        def address(urn: str) -> str | None:
            node = known.nodes.get(urn.rpartition("::")[2]) if f"{PRIMARY_IP}::" in urn else None
            return str(node.ipv4) if node and node.ipv4 else None

        self._lookups: Mapping[str, Lookup] = {
            **GENERATED,
            **Hetzner(known.hetzner_token, known.nodes).lookups,
            **Cloudflare(known.cloudflare_token, address).lookups,
            **self._kubernetes.lookups,
        }

    @property
    def wanted(self) -> Sequence[Wanted]:
        """All that the program would create."""
        return [Wanted.of(step) for step in self._plan.changes if step.op == "create"]

    def survey(self, wanted: Iterable[Wanted]) -> Survey:
        findings = {one.urn: find(one, self._lookups) for one in wanted}
        found = Survey(findings=findings, adopted=self._kubernetes.adopted, beside=())
        return replace(found, beside=list(beside(self._cluster, [step.state for step in self._plan.steps], found.ids)))


def mounted_by(plan: Plan) -> Mapping[str, str]:
    """The Deployment of the program that mounts a claim, by the claim's name."""
    return {
        str(claim): step.state.name
        for step in plan.steps
        if step.state.type == DEPLOYMENT
        for volume in _list(dig(step.state.inputs, "spec", "template", "spec", "volumes"))
        if (claim := dig(volume, "persistentVolumeClaim", "claimName"))
    }


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def import_files(file: ImportFile, plan: Plan, ids: Mapping[str, str]) -> Sequence[ImportFile]:
    """The engine's import file, cut to what was found, in two: a provider's parent must be in the state before the provider is.

    Components stand for nothing in the world: they are taken in so that what was found has its parent.
    """
    urns = {(step.state.type, step.state.name): step.urn for step in plan.steps}

    def urn(entry: Entry) -> str:
        return urns[entry.type, entry.own_name]

    groups = [entry for entry in file.resources if entry.component]
    found = [
        entry.model_copy(update={"id": ids[urn(entry)]}) for entry in file.resources if entry.id and urn(entry) in ids
    ]
    providers = [entry for entry in file.resources if entry.type.startswith(PROVIDER)]
    table = {**file.name_table, **{entry.name: urn(entry) for entry in groups}}
    return [
        ImportFile(resources=part, name_table=names)
        for part, names in ((groups, file.name_table), ([*providers, *found], table))
        if found and part
    ]
