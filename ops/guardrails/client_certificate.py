"""The guard rail for Cloudflare's client certificate: Traefik requires it only after Cloudflare has presented it."""

from collections.abc import Iterator

from pydantic import JsonValue

from ops.guardrails.violation import Violation
from ops.json_paths import dig
from ops.plan import Plan, State
from ops.resource_types import SERVER

INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
TLS_OPTIONS = "TLSOption::default"
CERTIFICATE_REQUEST = "CertRequest::origin-pulls-request"
AUTHORITY = "SelfSignedCert::origin-pulls-authority"
UPLOADED = "AuthenticatedOriginPullsCertificate::origin-pulls"
REQUIRED = "RequireAndVerifyClientCert"
REQUEST_IT = (
    "set honeydue:edge.clientCertificate to requested and run make up. Afterwards, make require-client-certificate "
    "reads Traefik's access log and writes the setting (docs/runbook.md, Renew the client certificate)"
)


def certificate_seen(plan: Plan) -> Iterator[Violation]:
    """Guard rail: on a running site, Traefik requires a certificate that an operator has seen in its access log.

    Cloudflare presents a new certificate some minutes after its upload. Until then, Traefik would reject every request.
    """
    options = next((step for step in plan.steps if step.short == TLS_OPTIONS), None)
    if options is None:
        return
    required, renewed = requires_certificate(options.old), _renewed(plan)
    if required and renewed:
        yield Violation(
            resource=options.short,
            rule=certificate_seen.__name__,
            reason=f"requires the certificate of {renewed}, which would be replaced: Cloudflare presents the new one "
            "some minutes later, and every request fails until then",
            fix=REQUEST_IT,
        )
    elif not required and requires_certificate(options.new) and _serves(plan) and (renewed or not _seen(plan)):
        yield Violation(
            resource=options.short,
            rule=certificate_seen.__name__,
            reason="would require a client certificate that nobody has seen in Traefik's access log: every request "
            "fails until Cloudflare presents it",
            fix=REQUEST_IT,
        )


def requires_certificate(options: State | None) -> bool:
    """Whether these TLS options reject a client without a certificate of our authority."""
    return options is not None and dig(options.inputs, "spec", "clientAuth", "clientAuthType") == REQUIRED


def authority(request: State) -> JsonValue:
    """The id of the authority in the subject of the certificate request (infra/edge/origin_pulls.py)."""
    return dig(request.inputs, "subject", "serialNumber")


def _renewed(plan: Plan) -> str | None:
    """The authority or the uploaded certificate, if the plan replaces or deletes it."""
    return next((step.short for step in plan.changes if step.deletes and step.short in (AUTHORITY, UPLOADED)), None)


def _serves(plan: Plan) -> bool:
    """Whether the site may already serve requests. A cluster of this program does not before its first Ingress."""
    before = {step.old.type for step in plan.steps if step.old}
    bootstrapped = dig(plan.setting("honeydue:cluster"), "initNode")
    return SERVER in before and (INGRESS in before or not bootstrapped)


def _seen(plan: Plan) -> bool:
    seen = dig(plan.setting("honeydue:edge"), "clientCertificateSeen")
    return bool(seen) and any(
        step.new and step.short == CERTIFICATE_REQUEST and authority(step.new) == seen for step in plan.steps
    )
