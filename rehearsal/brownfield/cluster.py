"""The kubectl commands of the manual deployment: create Secrets, apply manifests, set the images of a release."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from infra.settings.apps import App, Images
from ops.stackfile import load
from rehearsal.brownfield.edge import TlsPair
from rehearsal.engine.placeholders import placeholder
from rehearsal.pki import write_private
from rehearsal.world.world import World

MANIFESTS = Path(__file__).resolve().parent / "manifests"
NAMESPACE = "honeydue"
SECRET_KEYS = {
    "POSTGRES_PASSWORD": "postgresPassword",
    "SECRET_KEY": "secretKey",
    "ADMIN_PASSWORD": "adminPassword",
    "EMAIL_HOST_PASSWORD": "emailPassword",
    "B2_KEY_ID": "b2KeyId",
    "B2_APP_KEY": "b2ApplicationKey",
}
"""The keys of the Secret honeydue-secrets, and the setting with the same value.

REDIS_PASSWORD is missing: redis had no password (deployment book, chapter 20).
"""
APPS: tuple[App, ...] = get_args(App)
ROLLOUT_SECONDS = 60


def apply(world: World, certificate: TlsPair) -> None:
    """Creates the Secrets and applies the manifests with client-side apply, the default of kubectl.

    Its field manager then owns every field that an adoption takes over.
    """
    _apply(world, "namespace.yaml")
    _create_secrets(world, certificate)
    _apply(world, "configmap.yaml", "rbac.yaml", "network-policies.yaml", "redis", "traefik-helmchartconfig.yaml")
    _apply(world, "migrate")
    world.kubectl(
        "wait", "-n", NAMESPACE, "--for=condition=Complete", "job/honeydue-migrate", f"--timeout={ROLLOUT_SECONDS}s"
    )
    _apply(world, *APPS, "pod-disruption-budgets.yaml", "ingress", "vmagent")


def release(world: World) -> None:
    """Sets the images of the settings with `kubectl set image`, and waits for the rollout."""
    images = Images.model_validate(load(world.layout.config)["config"]["honeydue:images"])
    for app in APPS:
        world.kubectl("set", "image", "-n", NAMESPACE, f"deployment/{app}", f"{app}={images.reference(app)}")
    world.kubectl("rollout", "status", "-n", NAMESPACE, "deployment", f"--timeout={ROLLOUT_SECONDS}s")


def _apply(world: World, *names: str) -> None:
    world.kubectl("apply", "--recursive", *(f"--filename={MANIFESTS / name}" for name in names))


def _create_secrets(world: World, certificate: TlsPair) -> None:
    """Creates the Secrets with `kubectl create secret`, as in chapter 20 of the deployment book.

    The book does not contain the name of the registry's Secret and of the file with the push key.
    """
    settings = load(world.layout.config)["config"]

    def secret(key: str) -> str:
        return str(placeholder(key, world.layout.pki))

    def create(kind: str, name: str, *content: str) -> None:
        world.kubectl("create", "secret", kind, name, f"--namespace={NAMESPACE}", *content)

    create(
        "generic", "honeydue-secrets", *(f"--from-literal={name}={secret(key)}" for name, key in SECRET_KEYS.items())
    )
    create("generic", "honeydue-apns-key", f"--from-literal=apns_auth_key.p8={secret('apnsKey')}")
    registry, _, _ = settings["honeydue:images"]["registry"].partition("/")
    login = {
        "server": registry,
        "username": settings["honeydue:registryUsername"],
        "password": secret("registryPassword"),
    }
    create("docker-registry", "gitea-credentials", *(f"--docker-{option}={value}" for option, value in login.items()))
    with TemporaryDirectory() as folder:
        key_file, certificate_file = Path(folder) / "origin.key", Path(folder) / "origin.pem"
        write_private(key_file, certificate.private_key.encode())
        certificate_file.write_text(certificate.certificate)
        create("tls", "cloudflare-origin-cert", f"--cert={certificate_file}", f"--key={key_file}")
