"""Derives the configuration of a world's real nodes from the stack's settings."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rehearsal.engine.configuration import StackSettings
from rehearsal.engine.placeholders import placeholder
from rehearsal.external.backup_store import BackupStore
from rehearsal.external.database import ExternalDatabase
from rehearsal.external.log_database import LogDatabase
from rehearsal.external.mail_server import MailServer
from rehearsal.external.metrics_database import MetricsDatabase
from rehearsal.external.reverse_proxy import Gateway
from rehearsal.external.server import ExternalServer
from rehearsal.external.trace_collector import TraceCollector
from rehearsal.images import backup, catalog, logs, monitoring
from rehearsal.images.catalog import Schema
from rehearsal.layout import Layout
from rehearsal.real_nodes import addons, network
from rehearsal.real_nodes.cluster import ClusterConfig
from rehearsal.traefik import daemonset
from tools import debian


def cluster_config(
    layout: Layout, stack: StackSettings, images: Sequence[Path], *, pull: bool = False
) -> ClusterConfig:
    """The nodes of the stack, with every image that the settings name, the images of the add-ons, and `images`.

    With `pull`, the images of the release are left out: those of api, worker, admin and web.
    """
    stand_ins = [
        *(() if pull else catalog.release(stack.images, Schema.FIRST)),
        catalog.redis(stack.images.redis),
        catalog.traefik(daemonset.IMAGE),
    ]
    if stack.monitoring:
        stand_ins += monitoring.images(stack.monitoring.images)
    if stack.backups:
        stand_ins.append(backup.backup(stack.images.registry, stack.backups.image))
    if stack.logs:
        stand_ins += logs.images(stack.logs.images)
    addon_images = addons.images(debian.root_filesystem("node"))
    return ClusterConfig(
        network=stack.network,
        dns=stack.cluster_dns,
        nodes=[*stack.nodes.values()],
        volumes=stack.volumes,
        database=external_database(layout, stack),
        servers=external_servers(layout, stack),
        audited=stack.logs is not None and stack.logs.audit,
        monitored=stack.monitoring is not None,
        images=[*catalog.archives([*stand_ins, *addon_images]).values(), *images],
    )


def external_servers(layout: Layout, stack: StackSettings) -> Sequence[ExternalServer]:
    """The servers of the stack, and the gateway if several have the same host name."""
    candidates = (metrics_database(layout, stack), log_database(layout, stack), trace_collector(layout, stack))
    backends = [server for server in candidates if server]
    mail = mail_server(layout, stack)
    store = backup_store(layout, stack)
    servers: list[ExternalServer] = [*backends, *([mail] if mail else []), *([store] if store else [])]
    for host, count in Counter(server.host for server in backends).items():
        if count > 1:
            shared = [server for server in backends if server.host == host]
            # Last, because DNS has the last address of a name.
            servers.append(Gateway(layout=layout, address=network.GATEWAY, hostname=host, backends=shared))
    return servers


def external_database(layout: Layout, stack: StackSettings) -> ExternalDatabase:
    """The database that replaces Neon in a world with real nodes."""
    password = str(placeholder("postgresPassword", layout.pki))
    return ExternalDatabase(
        layout=layout, database=stack.database, password=password, pooler=network.POOLER, direct=network.DIRECT
    )


def metrics_database(layout: Layout, stack: StackSettings) -> MetricsDatabase | None:
    """The server that replaces the one at `honeydue:monitoring.url`. None without monitoring."""
    if stack.monitoring is None:
        return None
    password = str(placeholder("metricsPassword", layout.pki))
    return MetricsDatabase(
        layout=layout,
        settings=stack.monitoring,
        password=password,
        address=network.METRICS,
        dashboards=stack.dashboards,
    )


def trace_collector(layout: Layout, stack: StackSettings) -> TraceCollector | None:
    """The server that replaces the one at `honeydue:traces.url`. None without traces."""
    if stack.traces is None:
        return None
    password = str(placeholder("tracesPassword", layout.pki))
    return TraceCollector(layout=layout, settings=stack.traces, password=password, address=network.TRACES)


def mail_server(layout: Layout, stack: StackSettings) -> MailServer | None:
    """The server that replaces Fastmail. None if nothing sends mail."""
    if stack.mailbox is None or stack.monitoring is None or stack.monitoring.alerts is None:
        return None
    return MailServer(
        layout=layout,
        hostname=stack.mailbox.host,
        port=stack.mailbox.port,
        user=stack.mailbox.user or str(placeholder("emailUser", layout.pki)),
        password=str(placeholder("emailPassword", layout.pki)),
        address=network.MAIL,
    )


def backup_store(layout: Layout, stack: StackSettings) -> BackupStore | None:
    """The object store that replaces Backblaze. None without dumps of the database."""
    if stack.backups is None or stack.store is None:
        return None
    return BackupStore(
        layout=layout,
        hostname=stack.store.host,
        region=stack.store.region,
        bucket=stack.backups.bucket,
        keep=stack.backups.keep,
        key_id=str(placeholder("backupKeyId", layout.pki)),
        key=str(placeholder("backupApplicationKey", layout.pki)),
        address=network.STORE,
    )


def log_database(layout: Layout, stack: StackSettings) -> LogDatabase | None:
    """The server that replaces the one at `honeydue:logs.url`. None without logs."""
    if stack.logs is None:
        return None
    password = str(placeholder("logsPassword", layout.pki))
    return LogDatabase(layout=layout, settings=stack.logs, password=password, address=network.LOGS)
