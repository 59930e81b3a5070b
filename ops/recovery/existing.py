"""Finds resources that a plan would create although they exist, because a killed `up` did not store them in the state.

Without an import, the vendor refuses each of them as a duplicate, in every following `up`.
"""

from collections.abc import Mapping, Sequence

from infra.names import LABELS
from ops.adoption.discovery import LookupSettings, import_files
from ops.adoption.findings import Candidate, Finding, Status
from ops.adoption.lookups import look_up
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.adoption.lookups.hetzner import Hetzner
from ops.engine.imports import PROVIDER, import_resources, planned_imports
from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.resource_types import CLIENT_CERTIFICATE, PRIMARY_IP, RECORD, SERVER

KUBERNETES_PROVIDER = f"{PROVIDER}kubernetes"
RENEWAL = "docs/runbook.md, Renew the client certificate"
OUR_LABELS = ", ".join(f"{name}={value}" for name, value in LABELS.items())


def find_existing(candidates: Sequence[Candidate], settings: Settings) -> Mapping[str, Finding]:
    """The findings of resources that belong to this stack, by URN.

    A resource at Hetzner belongs to it if it has the labels with which the program creates every resource, or the
    address that the settings expect. Records of a Free zone at Cloudflare have no tags. An existing record is equal to
    the declared one, so an import changes nothing.

    Raises an OpsError if another resource is in the way, because an import would later change or delete it.
    """
    lookup_settings = LookupSettings.of(settings)
    hetzner = Hetzner(lookup_settings.hetzner_token, lookup_settings.nodes)
    # Records contain addresses that the plan does not know if their primary IPs are not in the state either.
    addresses: dict[str, str] = {}
    cloudflare = Cloudflare(lookup_settings.cloudflare_token, addresses.get)
    lookups = {**hetzner.lookups, **cloudflare.lookups}
    existing: dict[str, Finding] = {}
    refused: list[str] = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.type != PRIMARY_IP):
        if candidate.type == CLIENT_CERTIFICATE and (id_ := cloudflare.uploaded_client_certificate(candidate)):
            refused.append(
                f"{candidate.short} exists at Cloudflare (id {id_}). It cannot be imported, because its private key "
                f"cannot be read back. To replace it: {RENEWAL}"
            )
        finding = look_up(candidate, lookups)
        if finding.status is Status.AMBIGUOUS:
            refused.append(f"{candidate.short}: {finding.note}")
        elif finding.status is Status.FOUND:
            if problem := _problem(candidate, finding, hetzner):
                refused.append(f"{candidate.short} exists at Hetzner, {finding.note} (id {finding.id}), {problem}")
            else:
                existing[candidate.urn] = finding
                if candidate.type == PRIMARY_IP:
                    addresses[candidate.urn] = hetzner.address(finding.id)
    if refused:
        raise OpsError("The plan creates resources that exist already. Nothing was changed.\n" + "\n".join(refused))
    return existing


def _problem(candidate: Candidate, finding: Finding, hetzner: Hetzner) -> str | None:
    """Why an existing resource cannot be imported and what to do, or None if it can."""
    if candidate.type == RECORD or hetzner.has_expected_address(candidate):
        return None
    if not hetzner.labels(candidate.type, finding.id).items() >= LABELS.items():
        return (
            f"but without the label {OUR_LABELS}: this program did not create it. If it belongs to this stack, "
            "make adopt imports it. Otherwise rename or delete it in Hetzner's console"
        )
    if candidate.type == SERVER and candidate.inputs.get("networks") and not hetzner.is_attached(finding.id):
        return (
            "but the interrupted up did not attach it to the private network, so it is not a node yet. Delete this "
            "server in Hetzner's console, then run the command again"
        )
    return None


def import_existing(stack: str, existing: Mapping[str, Finding]) -> None:
    """Import the resources into the state, with their parents and providers if these are missing too."""
    plan, file = planned_imports(stack)
    # The provider of Kubernetes needs no import: nothing here belongs to it.
    entries = [entry for entry in file.resources if entry.type != KUBERNETES_PROVIDER]
    ids = {urn: finding.id for urn, finding in existing.items()}
    files = import_files(file.model_copy(update={"resources": entries}), plan, ids)
    if not files:
        raise OpsError("the plan changed while resources were looked up. Run the command again")
    for import_file in files:
        import_resources(stack, import_file)
