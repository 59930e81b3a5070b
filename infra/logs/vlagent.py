"""vlagent: reads the logs of its own node and sends them to VictoriaLogs.

Flags and fields: https://docs.victoriametrics.com/victorialogs/vlagent/. vlagent replaces `%{NAME}` by a variable of
its pod.
"""

import json
from collections.abc import Sequence

from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgs
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgs

from infra.cluster.admission import LOG_FILES, LOG_STATE
from infra.cluster.network_policies import ClusterAddresses
from infra.cluster.rbac import rules
from infra.machines.k3s import AUDIT_LOG
from infra.monitoring.connections import to_api_server, to_internet
from infra.monitoring.ports import VLAGENT_PORT
from infra.monitoring.vmagent import field_variable
from infra.names import VLAGENT
from infra.pods import Pod, Probes, Resources
from infra.settings.logs import LogSettings
from infra.settings.schema import Settings

CREDENTIALS = "/etc/obs"
"""Where the pod mounts its Secret. vlagent reads the files again when they change."""
NODE = "%{NODE_NAME}"
NAMESPACE_FIELD, POD_FIELD, CONTAINER_FIELD = (
    f"kubernetes.{name}" for name in ("pod_namespace", "pod_name", "container_name")
)
DROPPED_FIELDS = (
    # Traefik: the path with the query string, which may contain a password or a token. Traefik can leave the query
    # string out since v3.6.18 and v3.7.2 (accesslog.fields.queryparameters), but an older one does not start with this
    # option, and k3s determines the version. The path therefore stays in the log of the pod.
    "RequestPath",
)
AUDIT_DROPPED_FIELDS = (
    # The content of objects. The audit policy of the program never logs it, but that of a node which was installed by
    # hand may.
    "requestObject*",
    "responseObject*",
    # The command of `kubectl exec` is in the URL.
    "requestURI",
    # The message about an invalid pod template contains all of it.
    "responseStatus.message",
    "responseStatus.details*",
    # Rejections by an admission policy, with the value that it rejects.
    "annotations*",
)
"""Fields of JSON lines that are not sent. `*` at the end matches every name that begins like this."""
STREAM_FIELDS = ("cluster", "node")
"""The fields of every line that, with those of its source, identify a stream of VictoriaLogs."""


def arguments(settings: Settings, logs: LogSettings) -> list[str]:
    """No credentials: every user of the node can read the arguments of a process."""
    common = json.dumps({"cluster": settings.domain, "node": NODE}, separators=(",", ":"))
    return [
        f"--remoteWrite.url={logs.url}/insert/native",
        f"--remoteWrite.basicAuth.usernameFile={CREDENTIALS}/username",
        f"--remoteWrite.basicAuth.passwordFile={CREDENTIALS}/password",
        # Without a limit, the buffer fills the disk of the node. Above it, vlagent drops the oldest lines.
        f"--remoteWrite.maxDiskUsagePerURL={logs.queue_mi}MiB",
        f"--tmpDataPath={LOG_STATE}",
        "--kubernetesCollector",
        f"--kubernetesCollector.logsPath={LOG_FILES}/containers",
        f"--kubernetesCollector.excludeFilter={exclude_filter(logs.namespaces)}",
        f"--kubernetesCollector.ignoreFields={','.join([*DROPPED_FIELDS, *logs.drop_fields])}",
        # The name of the container is that of the app.
        "--kubernetesCollector.includePodLabels=false",
        f"--kubernetesCollector.streamFields={','.join([*STREAM_FIELDS, NAMESPACE_FIELD, POD_FIELD, CONTAINER_FIELD])}",
        f"--kubernetesCollector.extraFields={common}",
        *(audit_arguments(common, logs.drop_fields) if logs.audit else []),
        # Of a line without a message, such as one of Traefik's access log. The default is a sentence.
        "--defaultMsgValue=-",
        f"--httpListenAddr=:{VLAGENT_PORT}",
        "--loggerFormat=json",
    ]


def exclude_filter(namespaces: Sequence[str]) -> str:
    """The LogsQL filter of the containers whose logs are not read: all of other namespaces."""
    return f"!{json.dumps(NAMESPACE_FIELD)}:in({','.join(map(json.dumps, namespaces))})"


def audit_arguments(common: str, dropped: Sequence[str]) -> list[str]:
    """Reads the audit log of the API server, which k3s writes to a file of each server. `common` are more fields."""
    # A pattern and not a path: vlagent would print a warning every ten seconds on a node without the file. The pattern
    # does not match the older files, audit-TIME.log.
    pattern = f"{AUDIT_LOG.parent}/[a]{AUDIT_LOG.name.removeprefix('a')}"
    return [
        f"--fileCollector.glob={pattern}",
        f"--fileCollector.ignoreFields={','.join([*AUDIT_DROPPED_FIELDS, *dropped])}",
        "--fileCollector.timeField=requestReceivedTimestamp",
        # The default is the name of the pod.
        "--fileCollector.hostnameField=",
        f"--fileCollector.streamFields={','.join([*STREAM_FIELDS, 'file'])}",
        # In quotes, because the flag may contain the fields of several patterns.
        f"--fileCollector.extraFields={json.dumps(common)}",
    ]


def vlagent_pod(settings: Settings, logs: LogSettings) -> Pod:
    """The pod: root without capabilities, which reads the logs of the node and writes to one directory of it."""
    return Pod(
        name=VLAGENT,
        component="agent",
        image=logs.images.vlagent,
        port=VLAGENT_PORT,
        args=arguments(settings, logs),
        environment=[field_variable("NODE_NAME", "spec.nodeName")],
        probes=Probes(http_path="/health"),
        secret_files={CREDENTIALS: VLAGENT},
        empty_dirs=(),
        host_paths={
            LOG_FILES: LOG_FILES,
            **({str(AUDIT_LOG.parent): str(AUDIT_LOG.parent)} if logs.audit else {}),
        },
        # Not an empty directory of the pod. A new pod would read all files from the beginning, and send each line a
        # second time.
        host_directories={LOG_STATE: LOG_STATE},
        every_node=True,
        service_account_token=True,
        user=0,
        resources=Resources(cpu=50, cpu_limit=500, memory=128, disk=64),
        exemptions={
            "container-security-context-user-group-id": "only root may read the files, of which it is the owner",
        },
    )


def cluster_rules() -> list[PolicyRuleArgs]:
    """vlagent lists the pods of its node, in all namespaces, and reads the labels of the node and the namespaces."""
    return [
        *rules({"": ["pods"]}, "list", "watch"),
        *rules({"": ["nodes"]}, "get"),
        *rules({"": ["namespaces"]}, "list"),
    ]


def own_pod_rules() -> list[PolicyRuleArgs]:
    """vlagent reads its own pod, which contains the name of the node."""
    return rules({"": ["pods"]}, "get")


def egress(logs: LogSettings, addresses: ClusterAddresses) -> list[NetworkPolicyEgressRuleArgs]:
    """The server of `logs.url`, and the API server."""
    return [to_internet(addresses, logs.port), to_api_server(addresses)]
