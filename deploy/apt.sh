#!/usr/bin/env bash
# Installs Debian packages, as root or through sudo, and says what to do where neither is there.
set -euo pipefail
command -v apt-get >/dev/null || { echo "Please install what gives: $* (no apt-get here to do it)." >&2; exit 1; }
root=()
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || { echo "Please run: apt-get install $* (neither root nor sudo here)." >&2; exit 1; }
  root=(sudo -n)
fi
get() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 "$@" >/dev/null; }
echo "installing $*" >&2
get update || true # an unreachable extra source must not stop what the others have
get install --no-install-recommends "$@"
