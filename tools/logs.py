"""The rows of the programs that collect and store logs, for the table in tools/programs.py."""

from tools.program import Program, ReleaseFile, github


def _release(archive: str, name: str) -> ReleaseFile:
    file = f"{archive}-{{os}}-{{arch}}-{{tag}}"
    return github(
        "VictoriaMetrics/VictoriaLogs",
        f"{file}.tar.gz",
        {f"{name}-prod": name},
        checksums=f"{file}_checksums.txt",
    )


LOGS = (
    # The log database outside of the cluster, and the agent on the nodes that writes to it.
    Program(
        name="victorialogs",
        build_minutes=1,
        module="github.com/VictoriaMetrics/VictoriaLogs",
        packages=tuple(f"github.com/VictoriaMetrics/VictoriaLogs/app/{name}" for name in ("victoria-logs", "vlagent")),
        version_flags="-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version={version}",
        release_files=(_release("victoria-logs", "victoria-logs"), _release("vlutils", "vlagent")),
    ),
)
"""The programs of infra/logs/."""
