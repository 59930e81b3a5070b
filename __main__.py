"""honeyDue's production cluster, in the order of its layers."""

import pulumi_hcloud

from infra import apps, cluster, edge, machines, sdk
from infra.backups import declare_backups
from infra.edge.uptime import declare_uptime
from infra.logs.stack import declare_logs
from infra.monitoring.stack import declare_monitoring
from infra.outputs import export_outputs
from infra.settings.loading import load_settings

settings, secrets = load_settings()  # reports all errors at once, before anything is contacted

hetzner = pulumi_hcloud.Provider("hetzner", token=secrets.hetzner_token)
cloudflare = sdk.cloudflare.Provider("cloudflare", api_token=secrets.cloudflare_token)

# Machines
ranges = edge.cloudflare_ranges(cloudflare)
deletion = machines.deletion_hooks(settings, token=secrets.hetzner_token)
addresses = machines.NodeAddresses(settings.nodes, hooks=deletion, provider=hetzner)
network = machines.NodeNetwork(settings, public=addresses, hooks=deletion, provider=hetzner)
firewall = machines.Firewall(settings, allow_https_from=ranges, nodes=addresses.ipv4, provider=hetzner)
ca = machines.ClusterCA(join_token=secrets.join_token)
servers = machines.Servers(
    settings,
    addresses=addresses,
    network=network,
    firewall=firewall,
    ca=ca,
    hooks=machines.server_hooks(deletion, token=secrets.hetzner_token),
    provider=hetzner,
)

# Edge
at_cloudflare = edge.existing_zone(settings.domain, cloudflare)
certificate = edge.OriginCertificate(settings.domain, settings.edge, provider=cloudflare)
origin_pulls = edge.OriginPulls(settings.domain, settings.edge, zone_id=at_cloudflare.id, provider=cloudflare)

# Cluster
k3s = cluster.Cluster(
    settings.cluster,
    kubeconfig=secrets.kubeconfig
    or cluster.bootstrapped_kubeconfig(settings, ca=ca, addresses=addresses.ipv4, servers=servers),
    nodes=[*addresses.ipv4.values(), *network.private.values()],
    depends_on=[servers],
)
admission = cluster.Admission(settings, provider=k3s.provider)
cluster.SystemNamespaces(k3s.addresses, provider=k3s.provider)
namespace = cluster.Namespace(provider=k3s.provider, depends_on=admission.bindings)
# Policies for workloads that the program does not run
cluster.OtherWorkloads(settings.other_workloads, namespaces=cluster.namespaces_of_apps(k3s, namespace), cluster=k3s)
traefik = cluster.Traefik(trusted=ranges.all, namespace=namespace, provider=k3s.provider)
zone = edge.Zone(
    settings.domain,
    settings.edge,
    zone_id=at_cloudflare.id,
    origins=addresses.ipv4,
    hooks=cluster.serving_hooks(settings.nodes, k3s),
    depends_on=[servers, traefik],  # a node is published when it serves
    provider=cloudflare,
)
cluster.Rbac(settings, namespace=namespace, provider=k3s.provider)
cluster.Upgrades(settings, provider=k3s.provider)  # of k3s, and reboots; disabled unless `upgrades` is set
cluster.Snapshots(settings, secrets, provider=k3s.provider)  # of etcd, to a bucket; disabled unless `snapshots` is set
middlewares = cluster.Middlewares(
    settings.edge,
    ranges=ranges.all,
    origin_pulls=origin_pulls,
    admin_users=secrets.admin_basic_auth,
    namespace=namespace,
    provider=k3s.provider,
)

# Apps
config = apps.AppConfig(settings, secrets, namespace=namespace, provider=k3s.provider)
apps.Signatures(settings)  # the key that verifies our images before they are deployed
redis = apps.redis(settings, cluster=k3s, namespace=namespace, config=config)
migration = apps.Migration(settings, cluster=k3s, namespace=namespace, config=config)
api = apps.api(settings, cluster=k3s, namespace=namespace, config=config, depends_on=[migration.ready, redis.ready])
worker = apps.worker(
    settings, cluster=k3s, namespace=namespace, config=config, depends_on=[migration.ready, redis.ready]
)
admin = apps.admin(settings, cluster=k3s, namespace=namespace, config=config, api=api)
web = apps.web(settings, cluster=k3s, namespace=namespace, config=config, api=api)
cluster.ClusterDNS(nodes=len(settings.nodes), provider=k3s.provider, depends_on=[api.deployment])  # all nodes joined

routes = [
    apps.Route(name="honeydue-api", hosts=[zone.hosts["api"], zone.hosts["apex"]], backend=api),
    apps.Route(name="honeydue-admin", hosts=[zone.hosts["admin"]], backend=admin, middlewares=middlewares.admin),
    apps.Route(name="honeydue-web", hosts=[zone.hosts["app"]], backend=web),
]
ingresses = apps.Ingresses(
    routes, certificate=certificate, middlewares=middlewares, namespace=namespace, provider=k3s.provider
)
# Dumps of the database; nothing unless `backups` is set
backup_pods = declare_backups(settings, secrets, cluster=k3s, namespace=namespace, config=config)

workloads: list[apps.Workload | apps.Migration] = [
    redis,
    migration,
    api,
    worker,
    admin,
    web,
]
apps.Quota(
    workloads,
    cron_jobs=backup_pods,
    others=settings.other_workloads.values(),
    namespace=namespace,
    provider=k3s.provider,
)

# Metrics and alerts; nothing unless `monitoring` is set
declare_monitoring(
    settings,
    secrets,
    cluster=k3s,
    namespace=namespace,
    origin_certificate=certificate.expires_on,
    admission=admission.bindings,
    traefik=traefik,
)

# The check from outside; nothing unless `uptime` is set
uptime = declare_uptime(
    settings,
    secrets,
    account_id=at_cloudflare.account_id,
    depends_on=[zone, ingresses],
    provider=cloudflare,
)

# Logs; nothing unless `logs` is set
declare_logs(settings, secrets, cluster=k3s, admission=admission.bindings)

export_outputs(
    settings,
    addresses=addresses,
    firewall=firewall,
    ca=ca,
    ranges=ranges,
    zone=zone,
    certificate=certificate,
    cluster=k3s,
    uptime=uptime,
    released=[workload.ready for workload in workloads],
)
