"""What api and worker have in common: the same configuration, secrets and push key."""

from pulumi_kubernetes.core.v1 import ConfigMapEnvSourceArgs, EnvFromSourceArgs, SecretEnvSourceArgs

from infra.apps.config import APNS_KEY, CONFIG_MAP, SECRET

ENVIRONMENT = (
    EnvFromSourceArgs(config_map_ref=ConfigMapEnvSourceArgs(name=CONFIG_MAP)),
    EnvFromSourceArgs(secret_ref=SecretEnvSourceArgs(name=SECRET)),
)
SECRET_FILES = {"/etc/apns": APNS_KEY}
