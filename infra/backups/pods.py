"""The pods of the dump and of the drill. Both use the image of images/backup."""

from collections.abc import Sequence

from pulumi_kubernetes.core.v1 import EnvFromSourceArgs, EnvVarArgs, SecretEnvSourceArgs

from infra.apps.database import connection_environment, database_destination
from infra.apps.pod import Pod
from infra.cluster.network_policies import HTTPS, Destination
from infra.names import DATABASE_BACKUP, RESTORE_DRILL
from infra.pods import Resources
from infra.settings.apps import STORE_ENDPOINT, STORE_REGION
from infra.settings.backups import REPOSITORY, BackupSettings
from infra.settings.database import Database
from infra.settings.schema import Settings

SCRATCH = "/tmp"  # noqa: S108  # a mount inside the container
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
COMPONENT = "backup"
LOGS_MI = 64


def image(settings: Settings, backups: BackupSettings) -> str:
    """The full image reference."""
    return f"{settings.images.registry}/{REPOSITORY}:{backups.image}"


def _server_verification(database: Database) -> Sequence[EnvVarArgs]:
    # Unlike drivers of Go, libpq does not use the authorities of the system. With the file, it would also verify the
    # certificate in the mode "require".
    return [EnvVarArgs(name="PGSSLROOTCERT", value=CERTIFICATES)] if database.ssl_mode == "verify-full" else []


def backup_pod(settings: Settings, backups: BackupSettings) -> Pod:
    """One dump. It writes nothing to a disk: the dump is encrypted and uploaded while it is read."""
    values = {
        "BACKUP_BUCKET": backups.bucket,
        "BACKUP_ENDPOINT": settings.environment[STORE_ENDPOINT],
        "BACKUP_REGION": settings.environment[STORE_REGION],
        "BACKUP_RECIPIENT": backups.recipient,
        "BACKUP_MINIMUM_PERCENT": str(backups.minimum_percent),
    }
    return Pod(
        name=DATABASE_BACKUP,
        component=COMPONENT,
        image=image(settings, backups),
        args=["dump"],
        environment=[
            *connection_environment(),
            *_server_verification(settings.database),
            *(EnvVarArgs(name=name, value=value) for name, value in values.items()),
        ],
        environment_from=[EnvFromSourceArgs(secret_ref=SecretEnvSourceArgs(name=DATABASE_BACKUP))],
        resources=Resources(cpu=50, cpu_limit=1000, memory=256, disk=LOGS_MI),
        restart_policy="Never",
        egress=[database_destination(settings.database), Destination(port=HTTPS)],
    )


def drill_pod(settings: Settings, backups: BackupSettings) -> Pod:
    """The scratch server of a drill. It has no network: `kubectl exec` streams the dump into it."""
    environment = {"PGHOST": SCRATCH, "PGUSER": "postgres", "PGDATABASE": "drill"}
    return Pod(
        name=RESTORE_DRILL,
        component=COMPONENT,
        image=image(settings, backups),
        args=["serve"],
        environment=[EnvVarArgs(name=name, value=value) for name, value in environment.items()],
        empty_dirs=(SCRATCH,),
        empty_dir_mi=backups.drill.disk_mi,
        resources=Resources(cpu=50, cpu_limit=1000, memory=512, disk=backups.drill.disk_mi + LOGS_MI),
        restart_policy="Never",
    )
