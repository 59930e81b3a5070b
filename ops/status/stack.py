"""The stack's settings as the program reads them, and the lines about its certificates and its cost."""

from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from infra.kubeconfig import client_certificate_expiry
from infra.monitoring.rules.control_plane import notice_days
from infra.settings.schema import Settings
from ops.engine import stack as engine
from ops.errors import OpsError
from ops.status.line import Line, unchecked
from ops.status.times import expiry

CERTIFICATES = "certificates"
KUBECONFIG_DAYS = 365
"""How long a client certificate of k3s is valid."""
RENEW_ORIGIN_CERTIFICATE = "docs/runbook.md#renew-the-origin-certificate"


def validated(values: engine.Settings) -> Settings:
    """The settings without the secrets. Raises an OpsError if they are not valid."""
    keys = map(to_camel, Settings.model_fields)
    declared = {key: values[key] for key in keys if values.get(key) not in (None, "", {})}
    try:
        return Settings.model_validate(declared, context=declared)
    except ValidationError as error:
        count = error.error_count()
        raise OpsError(
            "1 setting is not valid: make preview describes it"
            if count == 1
            else f"{count} settings are not valid: make preview describes them"
        ) from None


def origin_certificate_lines(expires: str, now: datetime, *, notice: int) -> Iterator[Line]:
    """`expires` is the output of the stack. Cloudflare does not always return a date that can be parsed.

    It is a problem `notice` days before.
    """
    try:
        parsed = datetime.fromisoformat(expires.strip())
    except ValueError:
        yield unchecked(CERTIFICATES, f"origin certificate: {expires.strip()!r} is no date")
    else:
        yield expiry("origin certificate", parsed, now, RENEW_ORIGIN_CERTIFICATE, notice=notice)


def kubeconfig_lines(kubeconfig: str, context: str, now: datetime, *, renew: str) -> Iterator[Line]:
    """When the client certificate of the kubeconfig expires. A kubeconfig with a token has none."""
    try:
        expires = client_certificate_expiry(kubeconfig, context)
    except ValueError as error:
        yield unchecked(CERTIFICATES, f"kubeconfig: {error}")
        return
    if expires:
        yield expiry("kubeconfig", expires, now, renew, notice=notice_days(KUBECONFIG_DAYS))
    else:
        yield Line(subject=CERTIFICATES, text="kubeconfig has a token and no certificate")


def cost_line(settings: Settings) -> Line:
    """The list price of one month."""
    prices = settings.prices
    total = prices.month(node.server_type for node in settings.nodes.values())
    return Line(subject="cost", text=f"{prices.currency} {total:.2f} a month (prices of {prices.as_of})")
