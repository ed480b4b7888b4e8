"""Networks by their settings."""

from digit.config import ModelSettings
from digit.model.digit import Digit
from digit.model.internet import InterNet
from digit.model.network import Network
from digit.run.errors import UserError


def create_network(settings: ModelSettings) -> Network:
    """Build the network of ``settings.architecture``.

    Raises:
        UserError: for settings that do not go together or pretrained weights that do not fit.
    """
    if settings.architecture == "digit":
        return Digit(settings)
    if settings.fusion != "logits":
        raise UserError(
            f"model.fusion: {settings.fusion} has no meaning with model.architecture: internet, which knows no parts; "
            "leave it out"
        )
    return InterNet(settings)
