"""Looks up every resource that the program would create, and cuts the import file to those that exist."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from infra.settings import topology
from infra.settings.adopted import Adopted
from infra.settings.monitoring import MonitoringSettings
from infra.settings.other_workloads import OtherWorkload
from ops.adoption.agents import MetricsAgent, metrics_agents
from ops.adoption.effects.all_effects import affected_workloads
from ops.adoption.effects.effect import Effect
from ops.adoption.findings import Candidate, Finding, Status
from ops.adoption.lookups import GENERATED, Lookup, look_up
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.adoption.lookups.hetzner import Hetzner
from ops.adoption.lookups.kubernetes import Kubernetes
from ops.adoption.routes import routes_elsewhere
from ops.adoption.undeclared import undeclared_objects
from ops.adoption.workloads import Workload
from ops.engine.imports import PROVIDER, Entry, ImportFile
from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.json_paths import dig
from ops.kubernetes import Cluster
from ops.mounted_claims import mounted_claims
from ops.plan import Plan
from ops.resource_types import DEPLOYMENT, PRIMARY_IP


@dataclass(frozen=True, kw_only=True)
class DiscoveryResult:
    """The outcome of a discovery.

    Attributes:
        findings: by URN.
        adopted: immutable fields of the existing objects, for the setting `honeydue:adopted`.
        undeclared: objects in the program's namespaces that it does not declare.
        unserved: routes that Traefik no longer serves after the next `up`.
        detached: firewalls that the next `up` detaches from servers, because the program does not declare them.
        affected: what the next `up` does to undeclared workloads of all namespaces.
        agents: metrics agents that run already, beside which the next `up` starts vmagent.
    """

    findings: Mapping[str, Finding]
    adopted: Adopted
    undeclared: Sequence[str]
    unserved: Sequence[str]
    detached: Sequence[str]
    affected: Mapping[Workload, Sequence[Effect]]
    agents: Sequence[MetricsAgent]

    @property
    def ids(self) -> Mapping[str, str]:
        """Ids of the existing resources, by URN."""
        return {urn: finding.id for urn, finding in self.findings.items() if finding.status is Status.FOUND}

    @property
    def ambiguous(self) -> int:
        """Number of resources for which an operator must decide."""
        return sum(finding.status is Status.AMBIGUOUS for finding in self.findings.values())


@dataclass(frozen=True, kw_only=True)
class LookupSettings:
    """The settings that lookups need."""

    hetzner_token: str
    cloudflare_token: str
    nodes: Mapping[str, topology.Node]
    adopted: Adopted
    admin_uses_api_url: bool
    other_workloads: Mapping[str, OtherWorkload]
    monitoring: MonitoringSettings | None

    @classmethod
    def of(cls, settings: Settings) -> "LookupSettings":
        try:
            return cls(
                hetzner_token=str(settings["hetznerToken"]),
                cloudflare_token=str(settings["cloudflareToken"]),
                nodes=TypeAdapter(dict[str, topology.Node]).validate_python(settings["nodes"]),
                adopted=Adopted.model_validate(settings.get("adopted") or {}),
                admin_uses_api_url=TypeAdapter(bool).validate_python(settings.get("adminUsesApiUrl") or False),
                other_workloads=TypeAdapter(dict[str, OtherWorkload]).validate_python(
                    settings.get("otherWorkloads") or {}
                ),
                monitoring=TypeAdapter(MonitoringSettings | None).validate_python(settings.get("monitoring") or None),
            )
        except (KeyError, ValidationError) as error:
            # The program has validated the settings while planning, so they changed since.
            raise OpsError(
                f"the stack's settings changed while they were read ({type(error).__name__}). Run the command again"
            ) from None


class Discovery:
    """Looks up candidates one by one, so that the command can show its progress."""

    def __init__(self, settings: LookupSettings, plan: Plan, cluster: Cluster) -> None:
        self._plan = plan
        self._cluster = cluster
        self._other_workloads = settings.other_workloads
        self._monitoring = settings.monitoring
        self._hetzner = Hetzner(settings.hetzner_token, settings.nodes)
        self._kubernetes = Kubernetes(cluster, adopted=settings.adopted, mounted_by=mounted_by(plan))

        def expected_address(urn: str) -> str | None:
            node = settings.nodes.get(urn.rpartition("::")[2]) if f"{PRIMARY_IP}::" in urn else None
            return str(node.ipv4) if node and node.ipv4 else None

        self._lookups: Mapping[str, Lookup] = {
            **GENERATED,
            **self._hetzner.lookups,
            **Cloudflare(settings.cloudflare_token, expected_address).lookups,
            **self._kubernetes.lookups,
        }

    @property
    def candidates(self) -> Sequence[Candidate]:
        """Every resource that the next `up` would create."""
        return [Candidate.of(step) for step in self._plan.changes if step.op == "create"]

    def run(self, candidates: Iterable[Candidate]) -> DiscoveryResult:
        findings = {candidate.urn: look_up(candidate, self._lookups) for candidate in candidates}
        ids = {urn: finding.id for urn, finding in findings.items() if finding.status is Status.FOUND}
        states = [step.state for step in self._plan.steps]
        return DiscoveryResult(
            findings=findings,
            adopted=self._kubernetes.adopted,
            undeclared=list(undeclared_objects(self._cluster, states, ids)),
            unserved=list(routes_elsewhere(self._cluster)),
            detached=list(self._hetzner.other_firewalls(ids)),
            affected=affected_workloads(self._cluster, states, self._other_workloads),
            agents=list(metrics_agents(self._cluster, states, self._monitoring)),
        )


def mounted_by(plan: Plan) -> Mapping[str, str]:
    """Name of the declared Deployment that mounts a claim, by the claim's name."""
    return {
        claim: step.state.name
        for step in plan.steps
        if step.state.type == DEPLOYMENT
        for claim in mounted_claims(dig(step.state.inputs, "spec", "template", "spec"))
    }


def import_files(file: ImportFile, plan: Plan, ids: Mapping[str, str]) -> Sequence[ImportFile]:
    """Cut the engine's import file to the existing resources, and split it in two.

    The first file has the components, which are the parents of the resources and providers in the second file. A
    component must be in the state before a provider that has it as parent.
    """
    urns = {(step.state.type, step.state.name): step.urn for step in plan.steps}

    def urn(entry: Entry) -> str:
        return urns[entry.type, entry.program_name]

    components = [entry for entry in file.resources if entry.component]
    existing = [
        entry.model_copy(update={"id": ids[urn(entry)]}) for entry in file.resources if entry.id and urn(entry) in ids
    ]
    providers = [entry for entry in file.resources if entry.type.startswith(PROVIDER)]
    name_table = {**file.name_table, **{entry.name: urn(entry) for entry in components}}
    return [
        ImportFile(resources=resources, name_table=names)
        for resources, names in ((components, file.name_table), ([*providers, *existing], name_table))
        if existing and resources
    ]
