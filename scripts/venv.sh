# Sourced by demo.sh and test.sh: makes .venv with this package and what it needs, once.
#
# Usage: source scripts/venv.sh EXTRA   EXTRA is "test" for what the tests need besides, and "" for nothing.

extra="$1"
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: $("$python" --version) found; Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11" >&2
    exit 1
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
source .venv/bin/activate
wanted="$(cat setup.cfg pyproject.toml scripts/constraints.txt | cksum)"
stamp=".venv/installed${extra:+-$extra}"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing into .venv, once: 2 to 4 minutes and 2.6 GB, more where PyTorch comes with CUDA ..."
    python -m pip install --quiet --disable-pip-version-check --constraint scripts/constraints.txt \
        --editable ".${extra:+[$extra]}"
    echo "$wanted" > "$stamp"
fi
