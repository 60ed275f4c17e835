#!/usr/bin/env bash
# Everything that must hold before a commit: style, types, composed bundles, tests.
#
# Usage: bash scripts/test.sh [PYTEST OPTION ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh test
export OMP_NUM_THREADS=1 # the tests are small: more threads wait for each other
unset PYTHONDONTWRITEBYTECODE # images of containers set it, and each of many processes would compile all modules again
free="$(df -Pk /dev/shm 2> /dev/null | awk 'NR == 2 { print $4 }' || true)"
if [ "${free:-0}" -gt 4000000 ]; then
    export PYTEST_DEBUG_TEMPROOT="${PYTEST_DEBUG_TEMPROOT:-/dev/shm}" # many disks take 2 ms to remove a folder, of thousands
fi

types="$(mktemp)"
trap 'kill $! 2> /dev/null || true; rm -f "$types"' EXIT
mypy > "$types" 2>&1 & # one process for a minute: beside what follows
ruff check .
ruff format --check .
python scripts/compose_bundles.py --check
# The order is random. The first lines say its seed: --randomly-seed=SEED repeats it, -p no:randomly keeps that of the files.
tests=0
python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder "$@" || tests=$?
wrong=0
wait $! || wrong=$?
cat "$types"
exit $((tests > 0 ? tests : wrong))
