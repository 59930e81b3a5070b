"""The row of the program that stores traces, for the table in tools/programs.py."""

from tools.program import Program, github

JAEGER = Program(
    # The trace collector outside of the cluster. The module lacks the files of its user interface.
    name="jaeger",
    build_minutes=4,
    module="github.com/jaegertracing/jaeger",
    version_flags="-X github.com/jaegertracing/jaeger/internal/version.latestVersion={version}",
    renames={"all-in-one": "jaeger-all-in-one"},
    release_files=(
        github(
            "jaegertracing/jaeger",
            "jaeger-{version}-{os}-{arch}.tar.gz",
            {"jaeger-{version}-{os}-{arch}/jaeger-all-in-one": "jaeger-all-in-one"},
            checksums="jaeger-{version}.sha256sum.txt",
        ),
    ),
)
