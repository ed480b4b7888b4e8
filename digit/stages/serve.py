"""A local page that predicts what is dropped on it and what a camera sees."""

from pathlib import Path

from digit.model.shipped import shipped_weights
from digit.predictor.engine import require_probability
from digit.predictor.opening import open_engine
from digit.run.errors import UserError

PACKAGES = ("fastapi", "starlette", "uvicorn")
EXTRA = "digit serve needs further packages: run `pip install 'digit[web]'`"


def serve(checkpoint: Path | None, port: int, hand_threshold: float = 0.5, preset: str = "paper") -> None:
    """Serve until interrupted.

    Args:
        checkpoint: One of our checkpoints, the released weights or a checkpoint of the original; None: the weights
            that come with the package.
        port: Of this computer; 0 takes a free one.
        hand_threshold: A hand below this probability is not drawn.
        preset: Size of the network where the checkpoint does not say.

    Raises:
        UserError: when the extra ``web`` is not installed, the port is taken, or the checkpoint is a wrong one.
    """
    try:
        from digit.web.server import address, bind, make_server
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        raise UserError(EXTRA) from error
    require_probability(hand_threshold)
    listener = bind(port)
    weights = shipped_weights() if checkpoint is None else checkpoint
    engine = open_engine(weights, preset, hand_threshold)
    print(f"digit serve: {address(listener)} (Ctrl-C ends it)", flush=True)  # noqa: T201
    make_server(engine).run(sockets=[listener])
