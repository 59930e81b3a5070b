"""The admission policy of the namespace of node_exporter, the only namespace of the program with access to the host.

Pod Security is "privileged" there. This policy therefore admits one DaemonSet by its name and no other pod, and of the
host only what node_exporter reads. An account that may create pods in this namespace gets no access to the nodes.
"""

import json
from collections.abc import Mapping, Sequence

from pulumi_kubernetes.admissionregistration.v1 import ValidationArgs

from infra.cluster.pod_admission import DAEMON_SET_CONTROLLER, no_namespaces_of_the_host
from infra.names import NODE_EXPORTER

VARIABLES: Mapping[str, str] = {
    # The DaemonSet is validated, and not its pods: those of one that was there before could not restart otherwise.
    "validated": f"request.operation == 'CREATE' && request.userInfo.username == {json.dumps(DAEMON_SET_CONTROLLER)}"
    " && object.kind == 'Pod'",
    "hostPaths": "has(variables.pod.volumes) ? variables.pod.volumes.filter(v, has(v.hostPath)).map(v, v.name) : []",
}
_SECURITY = "has(c.securityContext) && has(c.securityContext.{field}) && c.securityContext.{field}"
RESTRICTIONS: Mapping[str, str] = {
    f"object.kind == 'DaemonSet' && object.metadata.name == '{NODE_EXPORTER}'": (
        f"only the DaemonSet {NODE_EXPORTER} runs in this namespace"
    ),
    **no_namespaces_of_the_host("hostPID", "hostIPC"),
    "variables.containers.all(c, !has(c.volumeMounts) || c.volumeMounts.all(m, !(m.name in variables.hostPaths)"
    " || has(m.readOnly) && m.readOnly))": "a path of the node (hostPath) may only be mounted with readOnly: true",
    f"variables.containers.all(c, !({_SECURITY.format(field='privileged')})"
    f" && {_SECURITY.format(field='allowPrivilegeEscalation')} == false"
    " && has(c.securityContext.capabilities) && has(c.securityContext.capabilities.drop)"
    " && 'ALL' in c.securityContext.capabilities.drop && !has(c.securityContext.capabilities.add))": (
        "every container needs allowPrivilegeEscalation: false and capabilities without any but drop: [ALL]"
    ),
    "variables.containers.all(c, has(c.securityContext) && has(c.securityContext.runAsNonRoot)"
    " ? c.securityContext.runAsNonRoot : has(variables.pod.securityContext)"
    " && has(variables.pod.securityContext.runAsNonRoot) && variables.pod.securityContext.runAsNonRoot)": (
        "every container needs runAsNonRoot: true, of its own or of its pod"
    ),
}
"""CEL expressions that must hold, and the message if one does not."""


def read_only_host_access() -> Sequence[ValidationArgs]:
    """One DaemonSet, without root and privileges, that reads the host and writes nothing."""
    return [
        ValidationArgs(
            expression=f"variables.unchanged || variables.validated || ({expression})",
            message=message,
            reason="Forbidden",
        )
        for expression, message in RESTRICTIONS.items()
    ]
