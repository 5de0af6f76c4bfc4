#!/usr/bin/env bash
# Compiles requirements/*.in to *.txt with hashes, one set for every Python from 3.11 on. Versions change only if a
# changed .in asks for it; `deploy/lock.sh --upgrade` upgrades everything.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() {
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url "${@:2}" "requirements/$1.in" --output-file "requirements/$1.txt"
}
lock build "$@"
lock run "$@"
lock dev --constraint requirements/run.txt "$@"
lock site "$@"
lock audit "$@"
lock headers "$@"
lock mutate --constraint requirements/run.txt "$@"
