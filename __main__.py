"""honeyDue's production cluster, top to bottom in the order it comes to be."""

import pulumi_hcloud

from infra import sdk
from infra.apps.admin import admin
from infra.apps.api import api
from infra.apps.config import AppConfig
from infra.apps.ingress import Ingresses, Route
from infra.apps.migration import Migration
from infra.apps.redis import redis
from infra.apps.signatures import Signatures
from infra.apps.web import web
from infra.apps.worker import worker
from infra.cluster.admission import Admission
from infra.cluster.dns import ClusterDNS
from infra.cluster.middlewares import Middlewares
from infra.cluster.namespace import Namespace, SystemNamespaces
from infra.cluster.network_policies import Network
from infra.cluster.provider import Cluster, founded
from infra.cluster.rbac import Identities
from infra.cluster.snapshots import Snapshots
from infra.cluster.traefik import Traefik
from infra.cluster.upgrades import Upgrades
from infra.edge.origin_certificate import OriginCertificate
from infra.edge.origin_pulls import OriginPulls
from infra.edge.ranges import cloudflare_ranges
from infra.edge.zone import Zone
from infra.machines.addresses import NodeAddresses
from infra.machines.ca import Authority
from infra.machines.firewall import Firewall
from infra.machines.network import NodeNetwork
from infra.machines.servers import Machines
from infra.outputs import export_outputs
from infra.settings.loading import load_settings

settings, secrets = load_settings()  # every mistake reported at once, before anything is contacted

hetzner = pulumi_hcloud.Provider("hetzner", token=secrets.hetzner_token)
cloudflare = sdk.cloudflare.Provider("cloudflare", api_token=secrets.cloudflare_token)

# Machines
ranges = cloudflare_ranges(cloudflare)
addresses = NodeAddresses(settings.nodes, hetzner=hetzner)
between = NodeNetwork(settings, public=addresses, hetzner=hetzner)
firewall = Firewall(settings, web_from=ranges, nodes=addresses.ipv4, hetzner=hetzner)
authority = Authority(existing=secrets.join_token)
machines = Machines(
    settings, addresses=addresses, network=between, firewall=firewall, authority=authority, hetzner=hetzner
)

# Edge
zone = Zone(settings.domain, settings.edge, origins=addresses.ipv4, provider=cloudflare)
certificate = OriginCertificate(settings.domain, settings.edge, provider=cloudflare)
origin_pulls = OriginPulls(settings.domain, settings.edge, zone_id=zone.id, provider=cloudflare)

# Cluster
kubeconfig = secrets.kubeconfig or founded(settings, authority, addresses=addresses.ipv4, machines=machines.servers)
cluster = Cluster(settings.cluster.context, kubeconfig=kubeconfig, after=[machines])
traefik = Traefik(trusted=ranges.all, provider=cluster.provider)
admission = Admission(settings.images, provider=cluster.provider)
network = Network(
    settings=settings.cluster, adopted=settings.adopted, nodes=[*addresses.ipv4.values(), *between.private.values()]
)
SystemNamespaces(network=network, provider=cluster.provider)
namespace = Namespace(network=network, provider=cluster.provider, signed=settings.signed, after=admission.in_force)
Identities(settings, namespace=namespace, provider=cluster.provider)
Upgrades(settings, provider=cluster.provider)  # of k3s, and reboots; off while no days are set
Snapshots(settings, secrets, provider=cluster.provider)  # of etcd; to the nodes' disks alone while no bucket is set
middlewares = Middlewares(
    settings.edge,
    ranges=ranges.all,
    origin_pulls=origin_pulls,
    admin_users=secrets.admin_basic_auth,
    namespace=namespace,
)

# Apps
config = AppConfig(settings, secrets, namespace=namespace)
Signatures(settings, secrets, namespace=namespace)  # of our images; off while no key is configured
cache = redis(settings.redis, settings.images.redis, namespace=namespace, config=config)
schema = Migration(settings, namespace=namespace, config=config)  # complete before api and worker roll
backend = api(settings, namespace=namespace, config=config, after=[schema.job, cache.ready])
jobs = worker(settings, namespace=namespace, config=config, after=[schema.job, cache.ready])
panel = admin(settings, namespace=namespace, config=config, api=backend)
client = web(settings, namespace=namespace, config=config, api=backend)
ClusterDNS(
    nodes=len(settings.nodes), provider=cluster.provider, after=[backend.deployment]
)  # by then every node has joined

ingresses = Ingresses(
    [
        Route(name="honeydue-api", hosts=[zone.hosts["api"], zone.hosts["apex"]], to=backend),
        Route(name="honeydue-admin", hosts=[zone.hosts["admin"]], to=panel, behind=middlewares.admin),
        Route(name="honeydue-web", hosts=[zone.hosts["app"]], to=client),
    ],
    namespace=namespace,
    certificate=certificate,
    middlewares=middlewares,
)

export_outputs(
    settings,
    addresses=addresses,
    firewall=firewall,
    ranges=ranges,
    zone=zone,
    certificate=certificate,
    authority=authority,
    cluster=cluster,
)
