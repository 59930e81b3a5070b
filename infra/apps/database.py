"""How pods connect to the database: the variables of libpq and its like, and the port that policies open."""

from pulumi_kubernetes.core.v1 import ConfigMapKeySelectorArgs, EnvVarArgs, EnvVarSourceArgs, SecretKeySelectorArgs

from infra.apps.config import CONFIG_MAP, SECRET
from infra.cluster.network_policies import Destination
from infra.settings.database import Database

# By the key of the ConfigMap. References keep the manifest of a Job independent of the values, so that only a new image
# runs a migration.
CONNECTION = {
    "PGHOST": "DB_DIRECT_HOST",
    "PGPORT": "DB_PORT",
    "PGDATABASE": "POSTGRES_DB",
    "PGUSER": "POSTGRES_USER",
    "PGSSLMODE": "DB_SSLMODE",
}


def connection_environment() -> list[EnvVarArgs]:
    """The connection to the direct host, with the password."""
    return [
        *(
            EnvVarArgs(
                name=name,
                value_from=EnvVarSourceArgs(config_map_key_ref=ConfigMapKeySelectorArgs(name=CONFIG_MAP, key=key)),
            )
            for name, key in CONNECTION.items()
        ),
        EnvVarArgs(
            name="PGPASSWORD",
            value_from=EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=SECRET, key="POSTGRES_PASSWORD")),
        ),
    ]


def database_destination(database: Database) -> Destination:
    """The server: on the internet, or in its private network."""
    return Destination(port=database.port, cidr=str(database.private_cidr) if database.private_cidr else None)
