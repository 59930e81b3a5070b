"""The admission policies of the namespaces with access to the host: those of node_exporter and of the agent for logs.

Pod Security is "privileged" there. Each policy therefore admits one DaemonSet by its name and no other pod, and of the
host only what this DaemonSet reads. An account that may create pods in such a namespace gets no other access to the
nodes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pulumi_kubernetes.admissionregistration.v1 import ValidatingAdmissionPolicySpecArgs, ValidationArgs

from infra.cluster.pod_admission import DAEMON_SET_CONTROLLER, known_images, no_namespaces_of_the_host, pod_policy
from infra.settings.types import repository

_SECURITY = "has(c.securityContext) && has(c.securityContext.{field}) && c.securityContext.{field}"
_UNPRIVILEGED = (
    f"variables.containers.all(c, !({_SECURITY.format(field='privileged')})"
    f" && {_SECURITY.format(field='allowPrivilegeEscalation')} == false"
    " && has(c.securityContext.capabilities) && has(c.securityContext.capabilities.drop)"
    " && 'ALL' in c.securityContext.capabilities.drop && !has(c.securityContext.capabilities.add))"
)
_NOT_ROOT = (
    "variables.containers.all(c, has(c.securityContext) && has(c.securityContext.runAsNonRoot)"
    " ? c.securityContext.runAsNonRoot : has(variables.pod.securityContext)"
    " && has(variables.pod.securityContext.runAsNonRoot) && variables.pod.securityContext.runAsNonRoot)"
)
_HOST_PATHS = "has(variables.pod.volumes) ? variables.pod.volumes.filter(v, has(v.hostPath)) : []"


@dataclass(frozen=True, kw_only=True)
class HostAccess:
    """The only DaemonSet of a namespace, and what it may use of the host.

    `read_only` are the paths that it may read, and all paths if it is empty. It may write to those in `writable`.
    Without `root` it runs as another user. It has no capability in any case.
    """

    daemon_set: str
    host_network: bool = False
    root: bool = False
    read_only: Sequence[str] = ()
    writable: Sequence[str] = ()

    def policy(self, image: str) -> ValidatingAdmissionPolicySpecArgs:
        """The policy of the namespace, in which only pods with this image run."""
        return pod_policy(
            known_images([repository(image)]),
            [
                ValidationArgs(
                    expression=f"variables.unchanged || variables.validated || ({expression})",
                    message=message,
                    reason="Forbidden",
                )
                for expression, message in self._restrictions()
            ],
            variables=self._variables(),
        )

    def _variables(self) -> Mapping[str, str]:
        paths = _HOST_PATHS
        if self.writable:
            paths = f"({paths}).filter(v, !(v.hostPath.path in {json.dumps(list(self.writable))}))"
        return {
            # The DaemonSet is validated, and not its pods: those of one that was there before could not restart
            # otherwise.
            "validated": f"request.operation == 'CREATE' && request.userInfo.username == "
            f"{json.dumps(DAEMON_SET_CONTROLLER)} && object.kind == 'Pod'",
            "readOnlyPaths": f"({paths}).map(v, v.name)",
        }

    def _restrictions(self) -> Iterator[tuple[str, str]]:
        """CEL expressions that must hold, and the message if one does not."""
        yield (
            f"object.kind == 'DaemonSet' && object.metadata.name == '{self.daemon_set}'",
            f"only the DaemonSet {self.daemon_set} runs in this namespace",
        )
        network = () if self.host_network else ("hostNetwork",)
        yield from no_namespaces_of_the_host(*network, "hostPID", "hostIPC").items()
        if self.read_only:
            allowed = [*self.read_only, *self.writable]
            yield (
                f"({_HOST_PATHS}).all(v, v.hostPath.path in {json.dumps(allowed)})",
                f"of the node (hostPath), only {', '.join(allowed)} may be mounted",
            )
        yield (
            "variables.containers.all(c, !has(c.volumeMounts) || c.volumeMounts.all(m,"
            " !(m.name in variables.readOnlyPaths) || has(m.readOnly) && m.readOnly))",
            "a path of the node (hostPath) may only be mounted with readOnly: true"
            + (f", except {', '.join(self.writable)}" if self.writable else ""),
        )
        yield (
            _UNPRIVILEGED,
            "every container needs allowPrivilegeEscalation: false and capabilities without any but drop: [ALL]",
        )
        if not self.root:
            yield _NOT_ROOT, "every container needs runAsNonRoot: true, of its own or of its pod"
