#!/usr/bin/env bash
# Everything that must hold before a commit: style, types, composed bundles, tests.
#
# Usage: bash scripts/test.sh [PYTEST OPTION ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh test
export OMP_NUM_THREADS=1 # the tests are small: more threads wait for each other

ruff check .
ruff format --check .
mypy
python scripts/compose_bundles.py --check
# The order is random. The first lines say its seed: --randomly-seed=SEED repeats it, -p no:randomly keeps that of the files.
python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder "$@"
