"""The secrets of a stack, and the keys that only the operator can set."""

import itertools
import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, get_args, get_type_hints

import pulumi
from pydantic.alias_generators import to_camel

from infra.settings.messages import PROJECT


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The encrypted values of a stack's file. They are secret in the state, in diffs and in every derived output.

    The annotations are the description of the key and, for a value from a file, how the command reads it.
    """

    hetzner_token: Annotated[pulumi.Output[str], "Hetzner Cloud API token, read and write"]
    cloudflare_token: Annotated[pulumi.Output[str], "Cloudflare API token of the zone"]
    registry_password: Annotated[pulumi.Output[str], "access token of registryUsername"]
    postgres_password: Annotated[pulumi.Output[str], "password of the Postgres role"]
    redis_password: Annotated[pulumi.Output[str], "password of redis"]
    secret_key: Annotated[pulumi.Output[str], "key that signs the API's tokens"]
    admin_password: Annotated[pulumi.Output[str], "password of the first administrator"]
    email_password: Annotated[pulumi.Output[str], "Fastmail app password"]
    b2_key_id: Annotated[pulumi.Output[str], "Backblaze application key id"]
    b2_application_key: Annotated[pulumi.Output[str], "Backblaze application key"]
    apns_key: Annotated[pulumi.Output[str], "Apple push key, the .p8 file", " < AuthKey.p8"]
    kubeconfig: Annotated[
        pulumi.Output[str] | None, "kubeconfig of the running cluster, certificates inline", " < kubeconfig.yaml"
    ] = None
    join_token: Annotated[
        pulumi.Output[str] | None, "join token, /var/lib/rancher/k3s/server/token of any of its servers"
    ] = None
    admin_basic_auth: Annotated[
        pulumi.Output[str] | None, "users that may open the admin panel", " < users.htpasswd"
    ] = None
    snapshot_key_id: Annotated[
        pulumi.Output[str] | None, "Backblaze application key id of the bucket of the snapshots"
    ] = None
    snapshot_application_key: Annotated[
        pulumi.Output[str] | None, "Backblaze application key of the bucket of the snapshots"
    ] = None
    backup_key_id: Annotated[
        pulumi.Output[str] | None,
        "Backblaze application key id of the bucket of the dumps, which may not delete",
    ] = None
    backup_application_key: Annotated[
        pulumi.Output[str] | None, "Backblaze application key of the bucket of the dumps"
    ] = None
    metrics_password: Annotated[pulumi.Output[str] | None, "password of monitoring.username at monitoring.url"] = None
    logs_password: Annotated[pulumi.Output[str] | None, "password of logs.username at logs.url"] = None
    alert_webhook_url: Annotated[pulumi.Output[str] | None, "URL of the webhook to which Alertmanager posts alerts"] = (
        None
    )
    heartbeat_url: Annotated[
        pulumi.Output[str] | None, "URL that is requested while alerting works, of a service that reports silence"
    ] = None
    traces_password: Annotated[pulumi.Output[str] | None, "password of traces.username at traces.url"] = None
    grafana_token: Annotated[
        pulumi.Output[str] | None, "token of a Grafana service account that may edit dashboards and annotations"
    ] = None
    uptime_webhook_url: Annotated[
        pulumi.Output[str] | None, "URL of the webhook to which the uptime Worker posts its messages"
    ] = None
    uptime_mail_token: Annotated[
        pulumi.Output[str] | None, "API token of the mail account, with access to mail and to submission"
    ] = None
    uptime_heartbeat_url: Annotated[
        pulumi.Output[str] | None,
        "URL that the uptime Worker requests after each run, of a service that reports silence",
    ] = None


@dataclass(frozen=True, kw_only=True)
class OperatorKey:
    """A key that only the operator can set: what it is, and the command that sets it."""

    description: str
    command: str
    secret: bool
    optional: bool = False


SECRETS: Mapping[str, OperatorKey] = {
    (key := to_camel(name)): OperatorKey(
        description=hint.__metadata__[0],
        command=f"pulumi config set --secret {PROJECT}:{key}" + "".join(hint.__metadata__[1:]),
        secret=True,
        optional=NoneType in get_args(hint.__origin__),
    )
    for name, hint in get_type_hints(Secrets, include_extras=True).items()
}
"""All secrets by key. `Secrets` has None for an optional one that is not set."""

EXISTING_CLUSTER_KEYS = ("kubeconfig", "joinToken")
"""Required, except when the program bootstraps the cluster and creates both."""
CONDITIONAL_KEYS: Mapping[str, Sequence[str]] = {
    "snapshots": ("snapshotKeyId", "snapshotApplicationKey"),
    "backups": ("backupKeyId", "backupApplicationKey"),
    "monitoring": ("metricsPassword",),
    "logs": ("logsPassword",),
    "monitoring.alerts.webhook": ("alertWebhookUrl",),
    "monitoring.alerts.heartbeat": ("heartbeatUrl",),
    "traces": ("tracesPassword",),
    "grafana": ("grafanaToken",),
    "uptime.webhook": ("uptimeWebhookUrl",),
    "uptime.mail": ("uptimeMailToken",),
    "uptime.heartbeat": ("uptimeHeartbeatUrl",),
}
"""Required when the setting is there and not false."""

REQUIRED: Mapping[str, OperatorKey] = {
    **{key: secret for key, secret in SECRETS.items() if not secret.optional or key in EXISTING_CLUSTER_KEYS},
    "adminEmail": OperatorKey(
        description="e-mail address of the first administrator",
        command=f"pulumi config set {PROJECT}:adminEmail",
        secret=False,
    ),
    "emailUser": OperatorKey(
        description="Fastmail account that sends mail", command=f"pulumi config set {PROJECT}:emailUser", secret=False
    ),
    "registryUsername": OperatorKey(
        description="user that pulls images", command=f"pulumi config set {PROJECT}:registryUsername", secret=False
    ),
    "sshKeys": OperatorKey(
        description="public keys of the operators",
        command=f"pulumi config set --path '{PROJECT}:sshKeys.NAME' 'ssh-ed25519 …'",
        secret=False,
    ),
}
"""Keys without a value in the repository. The operator sets them once; a rehearsal uses placeholders."""

_HTPASSWD_LINE = r"[^:\s]+:(\$2[aby]\$\d\d\$[./\w]{53}|\$apr1\$[./\w]{1,8}\$[./\w]{22})"
_P8_FILE = r"-----BEGIN PRIVATE KEY-----\s([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----"
_P256 = bytes.fromhex("06082a8648ce3d030107")
"""The curve of Apple's keys, as an ASN.1 object identifier."""


def _is_p8(text: str) -> bool:
    """Whether the text contains an Apple push key: PKCS #8 in PEM, complete."""
    block = re.search(_P8_FILE, text)
    if block is None:
        return False
    try:
        der = b64decode("".join(block[1].split()), validate=True)
    except ValueError:
        return False
    # A sequence whose length is in the third byte.
    return der[:2] == b"\x30\x81" and len(der) - 3 == int.from_bytes(der[2:3]) and _P256 in der


def _pattern(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


HOOK_URLS = ("alertWebhookUrl", "heartbeatUrl", "uptimeWebhookUrl", "uptimeHeartbeatUrl")
"""Secrets that are URLs of other services."""

FORMATS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    **{
        # A line break would end a line of an environment variable, a header or a configuration file.
        key: (_pattern(r"[^\x00-\x1f\x7f]+"), "one line without control characters")
        for key in SECRETS
        if key != "kubeconfig"
    },
    "apnsKey": (_is_p8, "the complete .p8 file of an Apple push key, with its first and last line"),
    **{
        # The network policy of Alertmanager only allows 443, and cannot depend on a secret. For the uptime Worker, a
        # certificate must be verified too.
        key: (
            _pattern(r"https://[A-Za-z0-9.-]+(:443)?([/?][^\x00-\x20\x7f]*)?"),
            "an address that begins with https://, without a user and without a port",
        )
        for key in HOOK_URLS
    },
    "joinToken": (
        _pattern(r"K10[0-9a-f]{64}::server:\S+\n?"),
        "the full join token of a server, K10…::server:…, which contains the hash of the cluster's CA",
    ),
    "adminBasicAuth": (
        _pattern(rf"{_HTPASSWD_LINE}(\n{_HTPASSWD_LINE})*\n*"),
        "lines of USER:HASH with a bcrypt or apr1 hash, as htpasswd -nB USER prints them",
    ),
}
"""Checks of secrets, and what each expects. A malformed value would otherwise be noticed only when it is used."""


def _is_enabled(settings: Mapping[str, object], path: str) -> bool:
    value: object = settings
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value not in (None, "", False, "false")


def bootstraps(settings: Mapping[str, object]) -> bool:
    """Whether these settings, by key, make the program bootstrap the cluster.

    `founder` is the former name of `initNode`. With it, the only error should be the new name.
    """
    return _is_enabled(settings, "cluster.initNode") or _is_enabled(settings, "cluster.founder")


def required(settings: Mapping[str, object]) -> Mapping[str, OperatorKey]:
    """The keys that must be set with these settings, by key and not yet validated."""
    keys = {
        key: value for key, value in REQUIRED.items() if not bootstraps(settings) or key not in EXISTING_CLUSTER_KEYS
    }
    conditional = [keys for path, keys in CONDITIONAL_KEYS.items() if _is_enabled(settings, path)]
    return keys | {key: SECRETS[key] for key in itertools.chain.from_iterable(conditional)}
