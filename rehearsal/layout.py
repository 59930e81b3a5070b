"""The files of a world, and the record in which a world stores its state."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rehearsal.errors import RehearsalError
from tools import programs


def _shortest(path: Path) -> Path:
    """Relative to the working directory where the path is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


CHECKOUT = Path(__file__).resolve().parent.parent
WORLDS = CHECKOUT / ".rehearsal"
PACKAGE = Path(__file__).resolve().parent

COMMAND = f"{_shortest(Path(sys.executable))} -m rehearsal"
"""The command line of this package with the current Python, for messages that the operator can copy."""

FORMAT = 3
"""The version of the world format. Raise it when an existing world can no longer be used: `up` then recreates it."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """The content of `world.json`."""

    version: str
    """The `world_version()` that created the world. A world of another version is recreated."""
    ports: dict[str, int]
    settings_digest: str
    """SHA-256 of the settings file that the world's copy was made from."""
    bootstrapped: bool = False
    """Whether the Pulumi program creates the cluster. Otherwise the world starts it before the program runs."""
    real_nodes: bool = False
    """Whether the nodes run containers. Otherwise kwok simulates them."""
    real_plugins: dict[str, str] = field(default_factory=dict)
    """The files of the real provider plugins that it uses, by provider. The others are simulated."""
    cloned: bool = False
    """Whether the world is a clone that was never started: its ports are still those of the original."""


@dataclass(frozen=True)
class Layout:
    """The files of one world."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def kubeconfig(self) -> Path:
        """The operator's kubeconfig. The kubeconfigs of the programs are in `pki`."""
        return self.folder / "kubeconfig"

    @property
    def programs(self) -> Path:
        """The first folder on the PATH of a shell in the world."""
        return self.folder / "bin"

    @property
    def clouds(self) -> Path:
        """The resources of the simulated clouds."""
        return self.folder / "clouds"

    @property
    def machines(self) -> Path:
        """The disks of simulated machines, for a cluster that the program bootstraps."""
        return self.folder / "machines"

    @property
    def nodes(self) -> Path:
        """The disks of real nodes."""
        return self.folder / "nodes"

    @property
    def external_ca(self) -> Path:
        """The certificate authority of services outside of the cluster. Simulated machines trust it."""
        return self.folder / "external" / "ca.crt"

    @property
    def backend(self) -> Path:
        """The Pulumi state."""
        return self.folder / "backend"

    @property
    def pulumi_home(self) -> Path:
        return self.folder / "pulumi-home"

    @property
    def project(self) -> Path:
        return self.folder / "Pulumi.yaml"

    @property
    def config(self) -> Path:
        """The world's copy of the stack settings file."""
        return self.folder / "Pulumi.prod.yaml"

    @property
    def copied_config(self) -> Path:
        """The world's copy as it was made. The difference is what was set in the world since."""
        return self.folder / "Pulumi.prod.copied.yaml"

    @property
    def lock(self) -> Path:
        """The lock file is beside the folder, because `down` removes the folder."""
        return self.folder.with_name(f".{self.name}.lock")

    @property
    def _record(self) -> Path:
        return self.folder / "world.json"

    def make_folders(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.pki, self.etcd, self.logs, self.programs, self.clouds, self.backend, self.pulumi_home):
            # 0700: etcd refuses a data folder that other users may read, and the folders contain private keys.
            folder.mkdir(mode=0o700, exist_ok=True)

    def read_record(self) -> Record | None:
        """The world's record, or None when there is no world or it was created by another version."""
        try:
            record = Record(**json.loads(self._record.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None
        return record if record.version == world_version() else None

    def write_record(self, record: Record) -> None:
        temporary = self._record.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(record), indent=2))
        temporary.replace(self._record)

    def has_record(self) -> bool:
        """Whether a world of any version was completed here."""
        return self._record.exists()

    def is_world_folder(self) -> bool:
        """Whether the folder may be removed. It is empty, or it contains files that only a world has."""
        return self.has_record() or self.pki.is_dir() or not any(self.folder.iterdir())


def worlds() -> Sequence["Layout"]:
    """The worlds of this checkout, by name."""
    folders = sorted(WORLDS.iterdir()) if WORLDS.is_dir() else []
    return [layout for folder in folders if folder.is_dir() and (layout := Layout(folder)).is_world_folder()]


def world_version() -> str:
    """Identifies the world format and the pinned programs. It changes when either changes."""
    keys = " ".join(program.key for program in programs.WORLD + programs.NODES)
    return f"{FORMAT}-{hashlib.sha256(keys.encode()).hexdigest()[:12]}"


def world_layout(name: str) -> Layout:
    """The files of the world with that name in this checkout."""
    if not name or not name.replace("-", "").isalnum():
        raise RehearsalError(
            f"{name!r} is not a valid world name: use letters, digits and dashes, for example --world second"
        )
    return Layout(WORLDS / name)
