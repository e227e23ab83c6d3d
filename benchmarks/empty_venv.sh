#!/usr/bin/env bash
# The wheel in an empty virtual environment: init a project, run it, with nothing of this repository in reach.
# Needs a package index; not part of `make test`.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
uv=$(command -v uv || echo "$here/.venv/bin/uv")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$uv" build -q --wheel -b "$here/requirements.lock" --require-hashes -o "$work/dist" "$here"
"$uv" venv -q --python "${VENV_PYTHON:-python3}" "$work/venv"
"$uv" pip install -q --python "$work/venv/bin/python" "$work"/dist/*.whl
cd "$work"
venv/bin/cupel init demo
cd demo
../venv/bin/cupel run evals/datasets/speeches-demo.jsonl --profile demo --task arguments --out out.jsonl
test "$(wc -l < out.jsonl)" = 12
../venv/bin/cupel doctor
echo "ok: the wheel makes a project that runs"
