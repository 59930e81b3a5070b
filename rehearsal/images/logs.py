"""The image of the agent for logs, by the reference in the stack's settings."""

from collections.abc import Sequence

from infra.settings.logs import LogImages
from rehearsal.images.archive import Image
from rehearsal.images.monitoring import ROOT, program_image
from tools.cache import executable


def images(references: LogImages) -> Sequence[Image]:
    """The entry point and the user are those of the published image."""
    program = executable("victorialogs", "vlagent")
    return (program_image(references.vlagent, program, "/vlagent-prod", user=ROOT, verifies_servers=True),)
