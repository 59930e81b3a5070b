"""The public key of our image signatures, which `ops` verifies before it deploys an image (docs/images.md).

Nothing in the cluster verifies signatures (docs/adr/0016-verify-images-before-they-are-deployed.md).
"""

from infra.component import Component
from infra.settings.schema import Settings


class Signatures(Component):
    """Records the key in the state, so that a plan shows when it changes."""

    def __init__(self, settings: Settings) -> None:
        key = settings.cosign_public_key.strip()
        super().__init__("apps:Signatures", "signatures", inputs={"publicKey": key} if key else None)
        self.register_outputs({})
