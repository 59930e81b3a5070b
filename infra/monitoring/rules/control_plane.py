"""Alerts about the control plane: etcd, its snapshots, DNS, and credentials that expire."""

from collections.abc import Sequence

from infra.monitoring.rules.model import Rule
from infra.settings.types import seconds

ETCD_SECONDS = 0.1
"""A request takes a few milliseconds."""
FSYNC_SECONDS = 0.128
"""A bound of the histogram. etcd's documentation recommends less than 10 ms; a member that is this slow loses its
leadership."""
ETCD_ERRORS = 0.05
DNS_ERRORS = 0.1
ETCD_DURATION = (
    "sum(rate(etcd_request_duration_seconds_sum[5m])) by (node) "
    "/ sum(rate(etcd_request_duration_seconds_count[5m])) by (node)"
)
"""The mean: a histogram of the API server has thousands of series, which vmagent does not send."""
FSYNC_DURATION = "histogram_quantile(0.99, sum(rate(etcd_disk_wal_fsync_duration_seconds_bucket[5m])) by (node, le))"
ETCD_FAILURES = "sum(rate(etcd_request_errors_total[5m])) by (node)"
ETCD_REQUESTS = "sum(rate(etcd_requests_total[5m])) by (node)"
DNS_RESPONSES = "sum(rate(coredns_dns_responses_total[5m]))"
DNS_FAILURES = 'sum(rate(coredns_dns_responses_total{rcode="SERVFAIL"}[5m]))'
SNAPSHOT_HOURS = 24
"""k3s takes a snapshot every twelve hours by default."""
EXPIRY_DAYS = 30
SNAPSHOT_CREATED = "kube_etcdsnapshotfile_creation_time"
SNAPSHOT_READY = "kube_etcdsnapshotfile_ready"
"""Of each snapshot that k3s lists (infra/monitoring/kube_state_metrics.py)."""


def etcd_rules() -> Sequence[Rule]:
    """From the API servers' view of etcd, which every node has, and from etcd itself where it exposes metrics."""
    return [
        Rule(
            name="EtcdSlow",
            expr=f"{ETCD_DURATION} > {ETCD_SECONDS}",
            for_="10m",
            keep_firing_for="10m",
            severity="warning",
            exporter="apiserver",
            series=("etcd_request_duration_seconds_sum", "etcd_request_duration_seconds_count"),
            summary="A request to etcd takes {{ $value | humanizeDuration }} on average on {{ $labels.node }}.",
            runbook="etcd is slow or has no leader",
        ),
        Rule(
            name="EtcdDiskSlow",
            expr=f"{FSYNC_DURATION} > {FSYNC_SECONDS}",
            for_="10m",
            keep_firing_for="10m",
            severity="warning",
            exporter="etcd",
            series=("etcd_disk_wal_fsync_duration_seconds_bucket",),
            summary=(
                "One percent of the writes of etcd take longer than {{ $value | humanizeDuration }} on "
                "{{ $labels.node }}."
            ),
            runbook="etcd is slow or has no leader",
        ),
        Rule(
            name="EtcdRequestsFail",
            expr=f"{ETCD_FAILURES} / {ETCD_REQUESTS} > {ETCD_ERRORS}",
            for_="5m",
            keep_firing_for="5m",
            severity="critical",
            exporter="apiserver",
            series=("etcd_requests_total",),
            events=("etcd_request_errors_total",),
            summary=(
                "{{ $value | humanizePercentage }} of the requests to etcd fail on {{ $labels.node }}. Without etcd, "
                "pods keep running, and nothing can change."
            ),
            runbook="etcd is slow or has no leader",
        ),
        Rule(
            name="EtcdWithoutLeader",
            expr="min(etcd_server_has_leader) by (node) == 0",
            for_="1m",
            keep_firing_for="5m",
            severity="critical",
            exporter="etcd",
            series=("etcd_server_has_leader",),
            summary="etcd on {{ $labels.node }} has no leader. Pods keep running, and nothing can change.",
            runbook="etcd is slow or has no leader",
        ),
    ]


def snapshot_rule(*, in_bucket: bool) -> Rule:
    """For complete snapshots. `in_bucket` means that those on the disks of the servers do not count."""
    complete = f"{SNAPSHOT_READY} == 1"
    where = '{server="s3"}' if in_bucket else ""
    return Rule(
        name="EtcdSnapshotOld",
        expr=(
            f"time() - max({SNAPSHOT_CREATED}{where} and on (name, server) {complete}) "
            f"> {seconds(f'{SNAPSHOT_HOURS}h')} "
            # No snapshot has no age.
            f"or absent({SNAPSHOT_CREATED}{where} and on (name, server) {complete})"
        ),
        for_="1h",
        severity="warning",
        exporter="kube-state-metrics",
        series=(SNAPSHOT_CREATED, SNAPSHOT_READY),
        summary=(f"No snapshot of etcd was {'uploaded' if in_bucket else 'taken'} within {SNAPSHOT_HOURS} hours."),
        runbook="Snapshots are old",
        follows="cluster",
    )


def dns_rule() -> Rule:
    return Rule(
        name="DnsFails",
        expr=f"{DNS_FAILURES} / {DNS_RESPONSES} > {DNS_ERRORS}",
        for_="10m",
        keep_firing_for="10m",
        severity="warning",
        exporter="coredns",
        series=("coredns_dns_responses_total",),
        summary="CoreDNS answers {{ $value | humanizePercentage }} of the queries of the cluster with SERVFAIL.",
        runbook="Names do not resolve",
    )


def notice_days(lifetime_days: int) -> int:
    """How many days before its expiry a credential is reported.

    A credential that is valid for a few weeks is reported when a third of its lifetime is left.
    """
    return min(EXPIRY_DAYS, lifetime_days // 3)


def origin_certificate_rule(expiry: int, *, lifetime_days: int) -> Rule:
    """No exporter measures this certificate. The program knows its `expiry`, in seconds since 1970."""
    days = notice_days(lifetime_days)
    return Rule(
        name="OriginCertificateExpires",
        expr=f"time() > {expiry - seconds(f'{days}d')}",
        for_="1h",
        severity="warning",
        exporter="vmalert",
        series=(),
        summary=f"The origin certificate, which Cloudflare requires from Traefik, expires in less than {days} days.",
        runbook="Renew the origin certificate",
    )


def client_certificate_rule() -> Rule:
    """For every client certificate that somebody uses: kubeconfigs of administrators, and the components of k3s.

    Not for the kubeconfig of the settings. CI has another one, and each `up` would change the rule to its own.
    """
    series = "apiserver_client_certificate_expiration_seconds_bucket"
    return Rule(
        name="ClientCertificateExpires",
        # The bound of the histogram that is 30 days, as the API server writes it.
        expr=f'max(increase_prometheus({series}{{le="2.592e+06"}}[1d])) by (node) > 0',
        for_="1h",
        severity="warning",
        exporter="apiserver",
        series=(series,),
        summary="A client certificate with which requests reach {{ $labels.node }} expires in less than 30 days.",
        runbook="Renew the kubeconfig",
    )
