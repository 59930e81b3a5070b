"""The `require-client-certificate` command: Traefik requires Cloudflare's client certificate from the next `up` on.

It writes the setting only if Cloudflare has deployed the certificate and Traefik's access log shows that Cloudflare
presents it to every node. The guard rail `certificate_seen` refuses the setting otherwise.
"""

import click
from rich.console import Console

from ops import kubernetes, stackfile
from ops.adoption.lookups.cloudflare import Cloudflare
from ops.client_certificate.access_log import count_requests
from ops.engine.stack import Settings, read_settings, state_resources
from ops.errors import OpsError
from ops.guardrails.client_certificate import CERTIFICATE_REQUEST, TLS_OPTIONS, authority, requires_certificate
from ops.guardrails.commands import stack_option
from ops.kubernetes import Cluster
from ops.plan import State
from ops.resource_types import CLIENT_CERTIFICATE
from ops.secret_settings import required_secret

EDGE = "honeydue:edge"
NAMESPACE = "kube-system"
LABEL = ("app.kubernetes.io/name", "traefik")
ACTIVE = "active"

console = Console(soft_wrap=True, highlight=False)


@click.command("require-client-certificate")
@stack_option
@click.option("--minutes", default=10, show_default=True, type=click.IntRange(min=1), help="Age of the log to read.")
def require_client_certificate(stack: str, minutes: int) -> None:
    """Write the setting by which Traefik requires Cloudflare's client certificate.

    Only if Cloudflare has presented it in every request to every node in the last minutes.
    """
    try:
        settings, resources = read_settings(stack), {state.short: state for state in state_resources(stack)}
        expected = _expected_authority(resources)
        _check_status(settings, resources)
        with kubernetes.connect(stack, settings) as cluster:
            requests = _check_access_log(cluster, expected, minutes)
        file = stackfile.settings_file(stack)
        stackfile.set_value(file, f"{EDGE}.clientCertificate", "required")
        stackfile.set_value(file, f"{EDGE}.clientCertificateSeen", expected)
    except OpsError as error:
        raise click.ClickException(f"The setting was not changed: {error}") from None
    console.print(
        f"Cloudflare presented the certificate of authority {expected} in all {requests} requests of the last "
        f"{minutes} minutes. {file.name} now requires it: make up STACK={stack}"
    )


def _expected_authority(resources: dict[str, State]) -> str:
    """The authority that Traefik trusts. Raises an OpsError unless Traefik only requests the certificate."""
    options, request = resources.get(TLS_OPTIONS), resources.get(CERTIFICATE_REQUEST)
    if options is None or request is None:
        raise OpsError("the stack has no client certificate yet. Run make up first")
    if requires_certificate(options):
        raise OpsError("Traefik requires the client certificate already")
    return str(authority(request))


def _check_status(settings: Settings, resources: dict[str, State]) -> None:
    uploaded = next((state for state in resources.values() if state.type == CLIENT_CERTIFICATE), None)
    if uploaded is None:
        raise OpsError("no client certificate is uploaded to Cloudflare. Run make up first")
    cloudflare = Cloudflare(required_secret(settings, "cloudflareToken"))
    status = cloudflare.client_certificate_status(str(uploaded.inputs["zoneId"]), uploaded.id.rpartition("/")[2])
    if status != ACTIVE:
        raise OpsError(f"at Cloudflare, the client certificate is {status} and not {ACTIVE}. Try again in some minutes")


def _check_access_log(cluster: Cluster, expected: str, minutes: int) -> int:
    """Read the log of every pod of Traefik, and return the number of requests."""
    key, value = LABEL
    pods = [pod for pod in cluster.list("v1", "Pod", NAMESPACE) if pod["metadata"].get("labels", {}).get(key) == value]
    if not pods:
        raise OpsError(f"no pod in {NAMESPACE} has the label {key}={value}")
    total = 0
    for pod in pods:
        name, node = pod["metadata"]["name"], pod["spec"].get("nodeName")
        requests = count_requests(cluster.log(NAMESPACE, name, since_seconds=minutes * 60), authority=expected)
        if requests.other:
            raise OpsError(
                f"on node {node}, {requests.other} of {requests.expected + requests.other} requests of Cloudflare in "
                f"the last {minutes} minutes had another client certificate or none, the last one at "
                f"{requests.last_other}. Try again {minutes} minutes after that time"
            )
        if not requests.expected:
            raise OpsError(
                f"on node {node}, Traefik's access log has no request of Cloudflare in the last {minutes} minutes. "
                "Open the site several times, because Cloudflare selects a node for each connection, and try again"
            )
        total += requests.expected
    return total
