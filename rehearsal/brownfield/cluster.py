"""What somebody did with kubectl: Secrets created imperatively, manifests applied, a release set (book ch10, ch14, ch20)."""

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
"""What honeydue-secrets holds, and the setting that holds the same. No REDIS_PASSWORD: redis asks for none (book ch20)."""
APPS: tuple[App, ...] = get_args(App)
ROLLOUT_SECONDS = 60


def apply(world: World, certificate: TlsPair) -> None:
    """Client-side, as everybody applies: another manager then owns every field that an adoption sets."""
    _apply(world, "namespace.yaml")
    _create_secrets(world, certificate)
    _apply(world, "configmap.yaml", "rbac.yaml", "network-policies.yaml", "redis", "traefik-helmchartconfig.yaml")
    _apply(world, "migrate")
    world.kubectl(
        "wait", "-n", NAMESPACE, "--for=condition=Complete", "job/honeydue-migrate", f"--timeout={ROLLOUT_SECONDS}s"
    )
    _apply(world, *APPS, "pod-disruption-budgets.yaml", "ingress")


def release(world: World) -> None:
    """The images of the settings, by `kubectl set image`, and all of it rolled out."""
    images = Images.model_validate(load(world.layout.config)["config"]["honeydue:images"])
    for app in APPS:
        world.kubectl("set", "image", "-n", NAMESPACE, f"deployment/{app}", f"{app}={images.reference(app)}")
    world.kubectl("rollout", "status", "-n", NAMESPACE, "deployment", f"--timeout={ROLLOUT_SECONDS}s")


def _apply(world: World, *names: str) -> None:
    world.kubectl("apply", "--recursive", *(f"--filename={MANIFESTS / name}" for name in names))


def _create_secrets(world: World, certificate: TlsPair) -> None:
    """Imperatively (ch20). The names of the registry's Secret and of the push key's file are not told."""
    settings = load(world.layout.config)["config"]

    def held(key: str) -> str:
        return str(placeholder(key, world.layout.pki))

    def create(kind: str, name: str, *content: str) -> None:
        world.kubectl("create", "secret", kind, name, f"--namespace={NAMESPACE}", *content)

    create("generic", "honeydue-secrets", *(f"--from-literal={name}={held(key)}" for name, key in SECRET_KEYS.items()))
    create("generic", "honeydue-apns-key", f"--from-literal=apns_auth_key.p8={held('apnsKey')}")
    registry, _, _ = settings["honeydue:images"]["registry"].partition("/")
    login = {
        "server": registry,
        "username": settings["honeydue:registryUsername"],
        "password": held("registryPassword"),
    }
    create("docker-registry", "gitea-credentials", *(f"--docker-{what}={value}" for what, value in login.items()))
    with TemporaryDirectory() as downloads:
        key, crt = Path(downloads) / "origin.key", Path(downloads) / "origin.pem"
        write_private(key, certificate.private_key.encode())
        crt.write_text(certificate.certificate)
        create("tls", "cloudflare-origin-cert", f"--cert={crt}", f"--key={key}")
