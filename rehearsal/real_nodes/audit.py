"""The audit log of the API server, on the disk of a node."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from infra.machines.k3s import AUDIT_LOG, audit_policy
from rehearsal.real_nodes.machine import Machine


def apiserver_flags(enabled: bool, machines: Mapping[str, Machine], work_folder: Path) -> Sequence[str]:
    """Options with which the API server writes the log where k3s does, on the disk of the first node."""
    if not enabled:
        return ()
    machine = next(iter(machines.values()))
    policy = work_folder / "audit.yaml"
    policy.write_text(yaml.safe_dump(audit_policy()))
    log = machine.create_folder(AUDIT_LOG.parent) / AUDIT_LOG.name
    return [f"audit-policy-file={policy}", f"audit-log-path={log}", "audit-log-maxsize=100", "audit-log-maxbackup=1"]
