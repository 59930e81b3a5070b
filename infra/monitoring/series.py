"""The series that vmagent sends, by scrape job. It drops all others, so that their number stays small.

k3s runs the kubelet, the API server, the scheduler and the controllers in one process with one registry
(pkg/metrics/metrics.go in the k3s repository), so that on a server the endpoint of each returns the series of all. Each
job keeps those of its own component.
"""

from collections.abc import Mapping, Sequence

PROCESS = (
    "go_goroutines",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
)
"""Metrics of every program, which vmagent sends for each job."""
METRICS: Mapping[str, Sequence[str]] = {
    # Without the series of services, which count a request once for each attempt.
    "traefik": ("traefik_(config|entrypoint|open|router|tls)_.+",),
    "kubelet": (
        "kubelet_evictions",
        "kubelet_node_name",
        "kubelet_running_(containers|pods)",
        "kubelet_runtime_operations_errors_total",
        "kubelet_volume_stats_.+",
    ),
    "cadvisor": (
        "container_cpu_(cfs_periods|cfs_throttled_periods|usage_seconds)_total",
        "container_fs_usage_bytes",
        "container_memory_(rss|working_set_bytes)",
        "container_network_(receive|transmit)_bytes_total",
        "container_oom_events_total",
        "container_spec_memory_limit_bytes",
        "machine_(cpu_cores|memory_bytes)",
    ),
    # Without the counter of requests and without histograms with labels, each of which has thousands of series.
    "apiserver": (
        "apiserver_client_certificate_expiration_seconds_bucket",
        "apiserver_current_inflight_requests",
        "apiserver_request_terminations_total",
        "apiserver_storage_size_bytes",
        "etcd_request_duration_seconds_(count|sum)",
        "etcd_request(_errors|s)_total",
        "kubernetes_build_info",
        "scheduler_pending_pods",
    ),
    "etcd": (
        "etcd_disk_(backend_commit|wal_fsync)_duration_seconds_(bucket|count|sum)",
        "etcd_mvcc_db_total_size_in(_use_in)?_bytes",
        "etcd_network_peer_round_trip_time_seconds_(bucket|count|sum)",
        "etcd_server_(has_leader|is_leader|leader_changes_seen_total|quota_backend_bytes|slow_apply_total)",
        "etcd_server_proposals_(failed_total|pending)",
    ),
    "kube-state-metrics": (
        "kube_(cronjob|daemonset|deployment|horizontalpodautoscaler|job|persistentvolumeclaim|statefulset)_.+",
        "kube_etcdsnapshotfile_.+",
        "kube_node_(created|info|spec_unschedulable|status_(allocatable|capacity|condition))",
        "kube_pod_(created|info|status_(phase|ready|reason|scheduled))",
        "kube_pod_(init_)?container_(resource_(limits|requests)|status_.+)",
        # The image of each container, for the releases in dashboards.
        "kube_pod_container_info",
    ),
    "node-exporter": ("node_.+",),
    "redis-exporter": (
        "redis_(aof|memory|rdb)_.+",
        "redis_(blocked|connected)_clients",
        "redis_(commands_processed|evicted_keys|expired_keys|keyspace_hits|keyspace_misses)_total",
        "redis_(config_maxmemory|db_keys|exporter_last_scrape_error|instance_info|script_values|up|uptime_in_seconds)",
        "redis_rejected_connections_total",
    ),
    "coredns": (
        "coredns_cache_(hits|misses)_total",
        "coredns_dns_request_duration_seconds_(bucket|count|sum)",
        "coredns_dns_(requests|responses)_total",
        "coredns_(forward|proxy)_healthcheck.+",
        "coredns_panics_total",
    ),
    "vmagent": ("vm_app_version", "vm_persistentqueue_.+", "vm_promscrape_.*(failed|skipped|targets).*", "vmagent_.+"),
    "vmalert": ("vm_app_version", "vmalert_.+"),
    "alertmanager": ("alertmanager_.+",),
    "vlagent": (
        "vl_rows_(dropped|ingested)_total",
        "vlagent_remotewrite_(errors|packets_dropped|requests|retries_count)_total",
        "vlagent_remotewrite_pending_data_bytes",
        "vm_app_version",
        "vm_persistentqueue_bytes_dropped_total",
    ),
}
"""Regular expressions of whole names. The job `api` has no entry: the names of its series are not known."""
ID_LABELS = (
    "device_id",
    "email",
    "request_id",
    "session_id",
    "task_id",
    "trace_id",
    "user",
    "user_id",
)
"""Labels of api with a value for each user or task. vmagent drops their series, which would grow without a limit."""


def metrics_pattern(job: str) -> str:
    """The regular expression of the metrics that vmagent sends for a job."""
    return "|".join([*METRICS[job], *PROCESS])
