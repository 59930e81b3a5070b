"""Names that ops/, rehearsal/ and bench/ look up as well. This module does not load an SDK."""

from collections.abc import Mapping

NAMESPACE = "honeydue"
"""The namespace of the apps."""
MIGRATION = "migrate"
"""The name of the Job that migrates the database."""
DATABASE_BACKUP = "database-backup"
"""The name of the CronJob that dumps the database."""
RESTORE_DRILL = "restore-drill"
"""The name of the CronJob from whose template a drill is started. Its status has the time of the last one."""
KUBE_SYSTEM = "kube-system"
"""The namespace of k3s' own add-ons and charts."""
MONITORING = "monitoring"
"""The namespace of metrics and alerts."""
NODE_EXPORTER = "node-exporter"
"""The namespace of node_exporter, which alone needs the host, and the name of its DaemonSet."""
LOGS = "logs"
"""The namespace of the agent that collects logs, which needs paths of the node."""
VLAGENT = "vlagent"
"""The DaemonSet in it, the only one that may run there."""
HOST_DAEMON_SETS: Mapping[str, str] = {NODE_EXPORTER: NODE_EXPORTER, LOGS: VLAGENT}
"""The namespaces with access to the host, and the only workload that may run in each."""
SYSTEM_UPGRADE = "cattle-system"
"""The namespace of the controller that upgrades k3s and of its plans, fixed in the templates of its chart."""
KUBERNETES_NAMESPACES = (KUBE_SYSTEM, "default", "kube-public", "kube-node-lease")
"""The namespaces that every cluster has."""
OWN_NAMESPACES = (NAMESPACE, MONITORING, NODE_EXPORTER, LOGS)
"""The namespaces in which every object is declared, or created by a controller of Kubernetes."""
HOSTNAME = "kubernetes.io/hostname"
"""The label of a Node with its name."""
UPTIME_SCRIPT = "honeydue-uptime"
"""The name of the uptime Worker at Cloudflare."""
LABELS: Mapping[str, str] = {"cluster": "honeydue"}
"""The labels of everything that the program creates at Hetzner. After an interrupted `up`, they show that a resource
that is not in the state belongs to the stack (ops/recovery)."""
DELETION_HOOK = "hetzner-deletion"
"""The hook that lifts Hetzner's delete protection. Never change its name: the state of every stack contains it, and the
engine deletes none of these resources if the program registers no hook of that name."""
ALLOW_DELETE = "HONEYDUE_ALLOW_DELETE"
"""The environment variable with the resources whose deletion is confirmed, separated by spaces: "Server::hetzner3"."""
ANY_RESOURCE = "*"
"""Its value in the previews of ops/, which check the deletions of a plan afterwards. An update does not accept it."""


def primary_ip_name(alias: str) -> str:
    """The name of a node's primary IP at Hetzner."""
    return f"{alias}-ipv4"


def hostnames(domain: str) -> Mapping[str, str]:
    """The FQDN of each hostname of the site, by a short name."""
    return {
        "api": f"api.{domain}",
        "admin": f"admin.{domain}",
        "app": f"app.{domain}",
        "apex": domain,
    }
