#!/usr/bin/env bash
# Installs exactly requirements/$1.txt (run or dev) into .venv, and the project itself, editable.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Huiying needs Python 3.11 or later; set PYTHON to one." >&2; exit 1; }
if [ ! -x .venv/bin/pip ]; then
  # Debian's python3 lacks the part of venv that brings pip.
  "$python" -m venv --clear .venv 2>/dev/null || { deploy/apt.sh python3-venv && "$python" -m venv --clear .venv; }
fi
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
.venv/bin/uv pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes requirements/build.txt "requirements/$1.txt"
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
# Reports are set on paper with Pango and a font that has Chinese (ADR 58). Without them everything else works.
printing() { [ -n "$(fc-list :lang=zh-cn family 2>/dev/null)" ] && .venv/bin/python -c "import weasyprint" 2>/dev/null; }
packages="fontconfig libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-cjk"
# shellcheck disable=SC2086
printing || deploy/apt.sh $packages || echo "Reviews print as HTML only until Pango and a Chinese font are there: install $packages." >&2
