"""Where everything of a world stands, and what the world remembers about itself."""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rehearsal.errors import RehearsalError
from tools import programs


def _shortest(path: Path) -> Path:
    """Relative to where the person stands, when it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


CHECKOUT = Path(__file__).resolve().parent.parent
WORLDS = CHECKOUT / ".rehearsal"
PACKAGE = Path(__file__).resolve().parent

COMMAND = f"{_shortest(Path(sys.executable))} -m rehearsal"
"""How to type a command of this package, whatever Python the person's shell has."""

FORMAT = 3
"""Raised when a world of an older checkout can no longer be used; such a world is started anew."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a world keeps in `world.json` from its first start to its end."""

    version: str
    """The format and the pinned programs; another value means that the world is of another version."""
    ports: dict[str, int]
    settings_digest: str
    """Digest of the settings that the world's copy was made from."""
    bootstrapped: bool = False
    """Whether the program makes the cluster; else it was there before."""
    real_nodes: bool = False
    """Whether its nodes run containers; else kwok plays them."""
    cloned: bool = False
    """Whether it is a clone that was never started: its ports are still those of the original."""


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
        """The operator's way in; the programs have their own under pki/."""
        return self.folder / "kubeconfig"

    @property
    def programs(self) -> Path:
        """What a shell in the world finds first on PATH."""
        return self.folder / "bin"

    @property
    def clouds(self) -> Path:
        return self.folder / "clouds"

    @property
    def machines(self) -> Path:
        """The disks of simulated machines, where the program founds its cluster."""
        return self.folder / "machines"

    @property
    def nodes(self) -> Path:
        """The disks of real nodes."""
        return self.folder / "nodes"

    @property
    def external_ca(self) -> Path:
        """The authority that simulated machines trust outside of their cluster."""
        return self.folder / "external" / "ca.crt"

    @property
    def backend(self) -> Path:
        return self.folder / "backend"

    @property
    def pulumi_home(self) -> Path:
        return self.folder / "pulumi-home"

    @property
    def project(self) -> Path:
        return self.folder / "Pulumi.yaml"

    @property
    def config(self) -> Path:
        """The world's copy of the stack's settings."""
        return self.folder / "Pulumi.prod.yaml"

    @property
    def lock(self) -> Path:
        """Beside the folder, which `down` removes."""
        return self.folder.with_name(f".{self.name}.lock")

    @property
    def _record(self) -> Path:
        return self.folder / "world.json"

    def make_folders(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.pki, self.etcd, self.logs, self.programs, self.clouds, self.backend, self.pulumi_home):
            # 0700: etcd refuses a data folder that others may read, and keys stand here.
            folder.mkdir(mode=0o700, exist_ok=True)

    def read_record(self) -> Record | None:
        """What the world remembers; None when there is no world, or one that cannot be used any more."""
        try:
            record = Record(**json.loads(self._record.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None
        return record if record.version == world_version() else None

    def write_record(self, record: Record) -> None:
        scratch = self._record.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(record), indent=2))
        scratch.replace(self._record)

    def has_record(self) -> bool:
        """Whether a world was once finished here, of whatever version."""
        return self._record.exists()

    def is_world_folder(self) -> bool:
        """Whether the folder may be removed as a world: nothing else is ever deleted."""
        return self.has_record() or self.pki.is_dir() or not any(self.folder.iterdir())


def world_version() -> str:
    """Changes with the format of a world and with every pinned program."""
    keys = " ".join(program.key for program in programs.WORLD + programs.NODES)
    return f"{FORMAT}-{hashlib.sha256(keys.encode()).hexdigest()[:12]}"


def world_layout(name: str) -> Layout:
    """The world of that name in this checkout."""
    if not name or not name.replace("-", "").isalnum():
        raise RehearsalError(f"a world's name is letters, digits and dashes, not {name!r}")
    return Layout(WORLDS / name)
