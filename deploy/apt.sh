#!/usr/bin/env bash
# Installs Debian packages, as root or through sudo. Without both, it says what to do.
set -euo pipefail
command -v apt-get >/dev/null || { echo "There is no apt-get here; please install the programs of these packages: $*" >&2; exit 1; }
root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || { echo "Please run: apt-get install $* (neither root nor sudo here)." >&2; exit 1; }
  root=(sudo -n)
fi
get() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 "$@" >/dev/null; }
echo "installing $*" >&2
get update || true # an unreachable extra source must not stop the others
get install --no-install-recommends "$@"
