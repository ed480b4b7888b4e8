"""Command line of the generator."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from digit.hand.open_hand.generate.build import generate
from digit.hand.open_hand.model import FROZEN_FILE
from digit.run.console import configure_logging, log
from digit.run.files import replacing


def main() -> None:
    """Generate the hand and write it where the package or the caller wants it."""
    here = Path(__file__).parent.parent / FROZEN_FILE
    parser = argparse.ArgumentParser(prog="python -m digit.hand.open_hand.generate", description=__doc__)
    parser.add_argument("--output", type=Path, default=here, help="file to write (default: the package's own)")
    output = parser.parse_args().output
    configure_logging()
    packed: dict[str, Any] = generate()
    with replacing(output) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **packed)
    log.info("%s: %d vertices, %.0f kB", output, len(packed["vertices"]), output.stat().st_size / 1000)


if __name__ == "__main__":
    main()
