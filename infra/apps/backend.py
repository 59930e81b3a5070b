"""What api and worker share: configuration, secrets, the push key, and the services that they connect to."""

from collections.abc import Sequence

from pulumi_kubernetes.core.v1 import ConfigMapEnvSourceArgs, EnvFromSourceArgs, SecretEnvSourceArgs

from infra.apps import traces
from infra.apps.config import APNS_KEY, CONFIG_MAP, REDIS_PORT, SECRET
from infra.apps.database import database_destination
from infra.cluster.network_policies import HTTPS, Destination
from infra.settings.schema import Settings

ENVIRONMENT = (
    EnvFromSourceArgs(config_map_ref=ConfigMapEnvSourceArgs(name=CONFIG_MAP)),
    EnvFromSourceArgs(secret_ref=SecretEnvSourceArgs(name=SECRET)),
)
SECRET_FILES = {"/etc/apns": APNS_KEY}


def egress(settings: Settings) -> Sequence[Destination]:
    """redis, the database, Fastmail, the trace collector, and over HTTPS Backblaze and Apple."""
    destinations = (
        Destination(app="redis", port=REDIS_PORT),
        database_destination(settings.database),
        Destination(port=HTTPS),
        Destination(port=settings.mail_port),
        *traces.egress(settings),
    )
    # The collector usually has the port of HTTPS, and needs no rule of its own then.
    return tuple(dict.fromkeys(destinations))
