"""The programs that are built: each a Go module beside this file, whose `go.mod` names it and whose `go.sum` pins every byte."""

import hashlib
import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

HERE = Path(__file__).parent


class BuildError(Exception):
    """A build that could not be done, with one line for the person who asked for it."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One module under tools/: what its build needs beyond `go build tool`, and what to expect of it."""

    name: str
    minutes: float = field(repr=False)
    """A cold build on 2 cores, measured, alone: several of them share packages."""
    module: str
    """The module whose version the program reports."""
    version_flags: str = ""
    """Linker variables that are set to the version."""
    main: str = "tool"
    tags: str = field(default="", repr=False)
    """Build tags, separated by commas."""
    embeds: tuple[str, ...] = ()
    """Files of the module's own folder that our `main.go` embeds."""
    copies: tuple[tuple[str, str], ...] = ()
    """(module, file) pairs that are kept as they are; a program with copies is not compiled."""
    renames: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return HERE / self.name

    @property
    def version(self) -> str:
        """The pinned version, as `go.mod` has it."""
        pinned = re.search(rf"^\s*(?:require )?{re.escape(self.module)} (v\S+)", (self.folder / "go.mod").read_text(), re.M)
        if pinned is None:
            raise BuildError(f"tools/{self.name}/go.mod does not require {self.module}")
        return pinned[1]

    @property
    def key(self) -> str:
        """Changes with every byte of source, and with the kind of machine."""
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {self!r}{self.tags}".encode())
        for file in sorted(self.folder.iterdir()):
            digest.update(file.read_bytes())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"

    @property
    def ldflags(self) -> str:
        version = self.version
        major, minor = version.removeprefix("v").split(".")[:2]
        return "-s -w " + self.version_flags.format(version=version, major=major, minor=minor)


_PULUMI_VERSION = "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}"
_KUBERNETES_VERSION = " ".join(
    f"-X {package}.git{part}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for part, value in (("Version", "{version}"), ("Major", "{major}"), ("Minor", "{minor}"))
)

ENGINE = (
    Program(
        name="pulumi",
        minutes=3,
        module="github.com/pulumi/pulumi/pkg/v3",
        version_flags=_PULUMI_VERSION,
    ),
    Program(
        name="pulumi-language-python",
        minutes=0.5,
        module="github.com/pulumi/pulumi/sdk/v3",
        version_flags=_PULUMI_VERSION,
        # The language host starts this script, which the release ships beside the binary.
        embeds=("python/cmd/pulumi-language-python-exec",),
    ),
)
"""What an official Pulumi on PATH replaces."""

WORLD = (
    Program(
        name="pulumi-resource-kubernetes",
        minutes=7,
        module="github.com/pulumi/pulumi-kubernetes/provider/v4",
        # The release number, which the pseudo-version of the module does not tell; requirements.txt has the same one.
        version_flags="-X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=4.25.0",
        main=".",
        embeds=("cmd/pulumi-resource-kubernetes/schema.json", "cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
    ),
    Program(
        # One module for four programs: they share most packages, so that each is built once.
        name="kubernetes",
        minutes=4,
        module="k8s.io/kubernetes",
        version_flags=_KUBERNETES_VERSION,
    ),
    # With etcdctl and etcdutl: members, snapshots and their restoring are etcd's own work.
    Program(name="etcd", minutes=1.5, module="go.etcd.io/etcd/server/v3", renames={"server": "etcd"}),
    Program(name="kwok", minutes=1, module="sigs.k8s.io/kwok"),
    # A real object store for etcd's snapshots: it refuses what is not signed with the right key.
    Program(name="versitygw", minutes=2, module="github.com/versity/versitygw"),
    Program(name="traefik", minutes=4, module="github.com/traefik/traefik/v3"),
    Program(
        # The custom resource definitions that k3s and its Traefik install; nothing is compiled.
        name="crds",
        minutes=0.2,
        module="github.com/traefik/traefik/v3",
        copies=(
            ("github.com/traefik/traefik/v3", "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"),
            ("github.com/k3s-io/helm-controller", "pkg/crds/yaml/generated"),
        ),
    ),
)
CHECKERS = (
    Program(name="kube-score", minutes=0.7, module="github.com/zegl/kube-score"),
    # The API server's own judgement of pods, in a main.go of ours.
    Program(name="pod-security", minutes=0.7, module="k8s.io/pod-security-admission", main="."),
    # Our main.go around cyclonus' evaluator, which answers what network policies allow.
    Program(name="network-policies", minutes=0.7, module="github.com/mattfenwick/cyclonus", main="."),
    Program(name="actionlint", minutes=0.5, module="github.com/rhysd/actionlint"),
    # Lays out docs/diagram.svg.
    Program(name="d2", minutes=2, module="oss.terrastruct.com/d2"),
)
"""What the rendered manifests and the workflows are run through (tests/manifests, tests/workflows), and drawn with (tests/diagram)."""

NODES = (
    # The versions of the control plane's own module.
    Program(name="kubelet", minutes=7, module="k8s.io/kubernetes", version_flags=_KUBERNETES_VERSION),
    # k3s' fork of it, and so its network policies.
    Program(name="kube-router", minutes=4, module="github.com/cloudnativelabs/kube-router/v2"),
    # In a main.go of ours: with the plugins that a rehearsal's Corefile names, and none that would ask a server outside.
    Program(name="coredns", minutes=1.5, module="github.com/coredns/coredns", main="."),
    # The one that honeyDue's api image carries, with one database's driver instead of eight.
    Program(
        name="goose",
        minutes=0.5,
        module="github.com/pressly/goose/v3",
        version_flags="-X main.version={version}",
        tags="no_clickhouse,no_libsql,no_mssql,no_mysql,no_sqlite3,no_vertica,no_ydb",
    ),
    # Our own: what honeyDue's images hold, as far as the cluster can tell.
    Program(name="stand-ins", minutes=2, module="github.com/hibiken/asynq", main="."),
)
"""What real nodes need and run; built when they are asked for."""

PROGRAMS = ENGINE + WORLD + CHECKERS


def cache_folder() -> Path:
    """Where finished programs are kept: `HONEYDUE_CACHE`, else the user's cache folder."""
    return Path(os.environ.get("HONEYDUE_CACHE") or user_cache_path("honeydue")).absolute()


def installed(program: Program) -> Path:
    """The folder that holds the finished program, whether it is there yet or not."""
    return cache_folder() / program.key


def named(name: str) -> Program:
    """The program of that name."""
    return next(program for program in PROGRAMS + NODES if program.name == name)
