"""The simulated registry of a world, to push images to it."""

from infra.settings.apps import IMAGE_PREFIX
from ops.stackfile import load
from rehearsal.clouds import endpoints
from rehearsal.engine.placeholders import placeholder
from rehearsal.images.push import Repository
from rehearsal.world.world import World


def our_repository(world: World, app: str) -> Repository:
    """The repository of an app's image."""
    _, _, owner = str(load(world.layout.config)["config"]["honeydue:images"]["registry"]).partition("/")
    return Repository(
        url=endpoints.environment(world.layout.clouds)[endpoints.REGISTRY_VARIABLE],
        name=f"{owner}/{IMAGE_PREFIX}{app}",
        username="rehearsal",
        password=str(placeholder("registryPassword", world.layout.pki)),
    )
