"""The rows of the programs that collect metrics and send alerts, for the table in tools/programs.py."""

from tools.program import Program, ReleaseFile, github

_VICTORIAMETRICS_VERSION = "-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version={version}"


def _victoriametrics(*names: str) -> tuple[str, ...]:
    """The Go packages of these VictoriaMetrics programs."""
    return tuple(f"github.com/VictoriaMetrics/VictoriaMetrics/app/{name}" for name in names)


def _victoriametrics_release(archive: str, *names: str) -> ReleaseFile:
    file = f"{archive}-{{os}}-{{arch}}-{{tag}}"
    return github(
        "VictoriaMetrics/VictoriaMetrics",
        f"{file}.tar.gz",
        {f"{name}-prod": name for name in names},
        checksums=f"{file}_checksums.txt",
    )


VMALERT_TOOL = Program(
    # Runs the unit tests of the alert rules.
    name="vmalert-tool",
    build_minutes=1.5,
    module="github.com/VictoriaMetrics/VictoriaMetrics",
    shares="victoriametrics",
    packages=_victoriametrics("vmalert-tool"),
    version_flags=_VICTORIAMETRICS_VERSION,
    release_files=(_victoriametrics_release("vmutils", "vmalert-tool"),),
)

_PROMETHEUS_VERSION = "-X github.com/prometheus/common/version.Version={release}"


def _prometheus(name: str, *, module: str, program: str = "") -> tuple[ReleaseFile, ...]:
    """The release of a program of the Prometheus project, or of another `program` in the same archive."""
    folder = f"{name}-{{version}}.{{os}}-{{arch}}"
    contents = {f"{folder}/{program or name}": program or name}
    return (github(module, f"{folder}.tar.gz", contents, checksums="sha256sums.txt"),)


AMTOOL = Program(
    # Parses the configuration of Alertmanager, and renders its mails.
    name="amtool",
    build_minutes=1,
    module="github.com/prometheus/alertmanager",
    shares="alertmanager",
    packages=("github.com/prometheus/alertmanager/cmd/amtool",),
    version_flags=_PROMETHEUS_VERSION,
    release_files=_prometheus("alertmanager", module="prometheus/alertmanager", program="amtool"),
)

MONITORING = (
    # The metrics database outside of the cluster, and the programs of the pods that write to it and read from it.
    Program(
        name="victoriametrics",
        build_minutes=2,
        module="github.com/VictoriaMetrics/VictoriaMetrics",
        packages=_victoriametrics("victoria-metrics", "vmagent", "vmalert"),
        version_flags=_VICTORIAMETRICS_VERSION,
        release_files=(
            _victoriametrics_release("victoria-metrics", "victoria-metrics"),
            _victoriametrics_release("vmutils", "vmagent", "vmalert"),
        ),
    ),
    # The newest version whose module contains the generated files of the user interface.
    Program(
        name="alertmanager",
        build_minutes=1,
        module="github.com/prometheus/alertmanager",
        version_flags=_PROMETHEUS_VERSION,
        release_files=_prometheus("alertmanager", module="prometheus/alertmanager"),
    ),
    Program(
        name="node-exporter",
        build_minutes=0.5,
        module="github.com/prometheus/node_exporter",
        version_flags=_PROMETHEUS_VERSION,
        release_files=_prometheus("node_exporter", module="prometheus/node_exporter"),
    ),
    Program(
        name="metrics-server",
        build_minutes=3,
        module="sigs.k8s.io/metrics-server",
        version_flags="-X sigs.k8s.io/metrics-server/pkg/version.gitVersion={version}",
    ),
    # The mail server outside of the cluster: it keeps what Alertmanager sends.
    Program(
        name="mailpit",
        build_minutes=1,
        module="github.com/axllent/mailpit",
        version_flags="-X github.com/axllent/mailpit/config.Version={version}",
    ),
    # Our own replacement of kube-state-metrics, which is not available as a Go module or as a Debian package.
    Program(name="kube-state-metrics", build_minutes=0.5, module="k8s.io/api", packages=(".",)),
)
"""The programs of the pods of infra/monitoring/, and of the services outside of the cluster that these use."""
