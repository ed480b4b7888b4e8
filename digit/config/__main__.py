"""``python -m digit.config [path]``: write the JSON schema of the configuration."""

import sys
from pathlib import Path

from digit.config.loading import SCHEMA_PATH, write_schema

if __name__ == "__main__":
    write_schema(Path(sys.argv[1]) if len(sys.argv) > 1 else SCHEMA_PATH)
