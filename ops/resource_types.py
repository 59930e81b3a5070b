"""Pulumi's type tokens of the resources that several modules look for."""

SERVER = "hcloud:index/server:Server"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
FIREWALL = "hcloud:index/firewall:Firewall"
SSH_KEY = "hcloud:index/sshKey:SshKey"
NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
PLACEMENT_GROUP = "hcloud:index/placementGroup:PlacementGroup"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
ZONE_SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
ORIGIN_CERTIFICATE = "cloudflare:index/originCaCertificate:OriginCaCertificate"
CLIENT_CERTIFICATE = "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate"
WORKER_SCRIPT = "cloudflare:index/workersScript:WorkersScript"
CRON_TRIGGER = "cloudflare:index/workersCronTrigger:WorkersCronTrigger"
WORKER = (WORKER_SCRIPT, CRON_TRIGGER, "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain")
"""The types of the uptime Worker (infra/edge/uptime/)."""
FIREWALL_COMPONENT = "honeydue:machines:Firewall"
"""The component of the firewall. Its inputs are Cloudflare's ranges (infra/machines/firewall.py)."""
SERVERS = "honeydue:machines:Servers"
"""The component of all servers. Its inputs are the facts of existing nodes (infra/settings/node_facts.py)."""
UNIQUE = frozenset(
    {PRIMARY_IP, SERVER, FIREWALL, SSH_KEY, NETWORK, SUBNET, PLACEMENT_GROUP, RECORD, CLIENT_CERTIFICATE}
)
"""Types of which the vendor refuses a duplicate: a second one of the same name, a subnet of the same range, a record of
the same name, type and content, an equal client certificate. Kubernetes objects are not among them: the provider
creates them with server-side apply, which accepts an object that exists already."""
