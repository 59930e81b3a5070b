"""The volumes of a pod, each with its mount."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pulumi_kubernetes.core.v1 import (
    ConfigMapVolumeSourceArgs,
    EmptyDirVolumeSourceArgs,
    HostPathVolumeSourceArgs,
    PersistentVolumeClaimVolumeSourceArgs,
    SecretVolumeSourceArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from infra.pods.resources import mebibytes


@dataclass(frozen=True, kw_only=True)
class Mounts:
    """What a pod mounts, by path: ConfigMaps, Secrets and claims by their name, and paths of the node.

    `empty_dirs` and `host_directories` are the writable paths. The latter are directories of the node, which the
    kubelet creates. `host_paths` are paths of the node that are read-only. Pod Security "restricted" permits neither.
    """

    empty_dirs: Sequence[str] = ("/tmp",)  # noqa: S108  # a mount inside the container
    config_files: Mapping[str, str] = field(default_factory=dict)
    secret_files: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    host_paths: Mapping[str, str] = field(default_factory=dict)
    host_directories: Mapping[str, str] = field(default_factory=dict)

    def volumes(self, *, empty_dir_mi: int) -> Iterator[tuple[VolumeArgs, VolumeMountArgs]]:
        """Each volume with its mount. `empty_dir_mi` is the size in MiB of each writable path."""
        # Another name for these volumes would roll all pods.
        for number, path in enumerate(self.empty_dirs):
            name, empty = f"scratch-{number}", EmptyDirVolumeSourceArgs(size_limit=mebibytes(empty_dir_mi))
            yield VolumeArgs(name=name, empty_dir=empty), VolumeMountArgs(name=name, mount_path=path)
        for path, name in self.config_files.items():
            # A Secret may have the same name.
            config = VolumeArgs(name=f"{name}-config", config_map=ConfigMapVolumeSourceArgs(name=name))
            yield config, VolumeMountArgs(name=f"{name}-config", mount_path=path, read_only=True)
        for path, name in self.secret_files.items():
            secret = VolumeArgs(name=name, secret=SecretVolumeSourceArgs(secret_name=name, default_mode=0o440))
            yield secret, VolumeMountArgs(name=name, mount_path=path, read_only=True)
        for path, name in self.claims.items():
            claim = PersistentVolumeClaimVolumeSourceArgs(claim_name=name)
            yield (
                VolumeArgs(name=name, persistent_volume_claim=claim),
                VolumeMountArgs(name=name, mount_path=path),
            )
        for number, (path, host_path) in enumerate(self.host_paths.items()):
            name = f"host-{number}"
            yield (
                VolumeArgs(name=name, host_path=HostPathVolumeSourceArgs(path=host_path)),
                # Also file systems that the node mounts later.
                VolumeMountArgs(name=name, mount_path=path, read_only=True, mount_propagation="HostToContainer"),
            )
        for number, (path, host_path) in enumerate(self.host_directories.items()):
            name = f"host-directory-{number}"
            directory = HostPathVolumeSourceArgs(path=host_path, type="DirectoryOrCreate")
            yield VolumeArgs(name=name, host_path=directory), VolumeMountArgs(name=name, mount_path=path)
