"""The digests, labels and signatures of our images, as our registry returns them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console

from infra.settings.apps import IMAGE_PREFIX
from infra.settings.messages import PROJECT
from infra.settings.secrets import SECRETS
from ops.engine.stack import Settings
from ops.errors import OpsError
from ops.registry import cosign
from ops.registry.client import (
    ENDPOINT,
    Login,
    NotFoundError,
    Registry,
    RegistryError,
    UnreachableError,
    endpoint,
)

WAY_OUT = (
    f"Release by digest (API=<tag>@sha256:…), or set {ENDPOINT} to the URL of a registry that has the same images "
    "(docs/images.md#when-the-registry-does-not-respond)"
)
VALID_TAG = re.compile(r"\w[\w.-]*(@sha256:[0-9a-f]{64})?")

console = Console(soft_wrap=True, highlight=False)


def split(value: str) -> tuple[str, str]:
    """The tag and the digest of a setting. The digest is empty if it has none."""
    tag, _, digest = value.partition("@")
    return tag, digest


def shown(value: str) -> str:
    """A setting as the operator reads it: the tag, and the beginning of the digest."""
    tag, digest = split(value)
    return f"{tag} ({digest[:19]}…)" if digest else tag


@dataclass(frozen=True, kw_only=True)
class OurImages:
    """Our images at our registry. `prefix` is the owner, which the names of the repositories begin with."""

    registry: Registry
    prefix: str

    @classmethod
    def of(cls, settings: Settings) -> "OurImages":
        """The registry of a stack's settings, with their login. Raises an OpsError if a key is missing."""
        images = settings.get("images")
        registry = images.get("registry") if isinstance(images, dict) else None
        username, password = settings.get("registryUsername"), settings.get("registryPassword")
        if not isinstance(registry, str):
            raise OpsError(f"{PROJECT}:images.registry is missing. Pulumi.yaml describes {PROJECT}:images")
        if not (isinstance(username, str) and isinstance(password, str)):
            raise OpsError(
                f"{PROJECT}:registryUsername or {PROJECT}:registryPassword is missing: "
                f"{SECRETS['registryPassword'].command}"
            )
        host, _, prefix = registry.partition("/")
        login = Login(username=username, password=password)
        return cls(registry=Registry(host, login=login, url=endpoint(host)), prefix=prefix)

    def name(self, app: str) -> str:
        """The name of an app's repository."""
        return f"{self.prefix}/{IMAGE_PREFIX}{app}".lstrip("/")

    def resolve(self, app: str, value: str) -> str:
        """The setting with the digest of its tag. Raises an OpsError with a line for the operator.

        A digest that is given must exist and be that of the tag. It is only trusted unchecked while the registry does
        not respond.
        """
        if VALID_TAG.fullmatch(value) is None:
            return value  # the plan explains what is wrong with it
        tag, given = split(value)
        try:
            digest = self.registry.digest(self.name(app), tag)
        except UnreachableError as error:
            if not given:
                raise OpsError(
                    f"the digest of {app} {tag} is unknown: {error}. Nothing was changed.\n{WAY_OUT}"
                ) from None
            console.print(f"{app}: the digest is not checked: {error}", style="yellow", markup=False)
            return value
        except NotFoundError:
            if not given:
                raise OpsError(
                    f"{self.registry.host} has no image {self.name(app)}:{tag}. Nothing was changed"
                ) from None
            self.must_exist(app, given)
            digest = given
        except RegistryError as error:
            raise OpsError(f"the digest of {app} {tag} is unknown: {error}. {_login()}. Nothing was changed") from None
        if given and digest != given:
            raise OpsError(f"{app}: the digest of the tag {tag} is {digest}, not {given}. Nothing was changed")
        return f"{tag}@{digest}"

    def must_exist(self, app: str, digest: str) -> None:
        """Raise an OpsError if the registry does not have the digest, for example because its tag was deleted."""
        try:
            self.registry.digest(self.name(app), digest)
        except NotFoundError:
            raise OpsError(
                f"{self.registry.host} has no image {self.name(app)}@{digest}. Nothing was changed"
            ) from None

    def labels(self, app: str, digest: str) -> Mapping[str, str]:
        """The labels of an image by digest. Raises a RegistryError."""
        return self.registry.labels(self.name(app), digest)

    def verify(self, app: str, digest: str, public_key: str) -> None:
        """Raise an OpsError unless the key signed the image."""
        try:
            cosign.verify(self.registry, self.name(app), digest, cosign.load_key(public_key))
        except UnreachableError as error:
            raise OpsError(
                f"its signature cannot be checked: {error}. Set {ENDPOINT} to the URL of a registry that has the same "
                "images and signatures (docs/images.md#when-the-registry-does-not-respond)"
            ) from None


def _login() -> str:
    return f"Check {PROJECT}:registryUsername and {PROJECT}:registryPassword"
