#!/usr/bin/env bash
# Makes the Python environment of the project; does nothing when it is up to date.
#   scripts/bootstrap.sh           .venv, one environment for both packages
#   scripts/bootstrap.sh --split   .venv-sim and .venv-alg, as the two conda files describe them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TORCH_VERSION=2.13.0
PYTHON=${PYTHON:-python3}

say() { printf 'bootstrap: %s\n' "$*" >&2; }

case "${1:-}" in
  "" | --split) ;;
  *) say "unknown argument '$1', expected nothing or --split"; exit 1 ;;
esac
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  say "$PYTHON is $("$PYTHON" --version 2>&1), expected Python 3.11 or newer: set PYTHON=/path/to/python3.11"
  exit 1
}

# A machine without an NVIDIA driver needs no CUDA libraries: prefer the CPU build where an index has it.
install_torch() {
  if ! command -v nvidia-smi >/dev/null 2>&1 && "$1/bin/pip" install -q "torch==$TORCH_VERSION+cpu" 2>/dev/null; then
    return
  fi
  "$1/bin/pip" install -q "torch==$TORCH_VERSION"
}

# make_environment DIR EDITABLE_PACKAGES REQUIREMENT_FILES...
make_environment() {
  local dir=$1 packages=$2 stamp want
  shift 2
  want=$(cat "$0" "$@" simengine/pyproject.toml algengine/pyproject.toml | sha256sum | cut -d' ' -f1)
  stamp="$dir/.bootstrap-$want"
  [ -f "$stamp" ] && return
  say "setting up $dir (a few minutes, once)"
  [ -x "$dir/bin/python" ] || "$PYTHON" -m venv "$dir"
  rm -f "$dir"/.bootstrap-*
  "$dir/bin/pip" install -q --disable-pip-version-check -r requirements/build.txt
  case " $* " in *requirements/alg.txt*) install_torch "$dir" ;; esac
  local file
  for file in "$@"; do
    # Pins are complete, so nothing else is pulled in; mmdet3d's own list would bring Jupyter and Open3D.
    "$dir/bin/pip" install -q --disable-pip-version-check --no-deps --no-build-isolation -r "$file"
  done
  local package
  for package in $packages; do
    "$dir/bin/pip" install -q --disable-pip-version-check --no-deps --no-build-isolation -e "./$package"
  done
  touch "$stamp"
  say "$dir is ready"
}

if [ "${1:-}" = --split ]; then
  make_environment .venv-sim "simengine" requirements/light.txt requirements/sim.txt
  make_environment .venv-alg "simengine algengine" requirements/light.txt requirements/alg.txt
else
  make_environment .venv "simengine algengine" requirements/light.txt requirements/sim.txt requirements/alg.txt requirements/dev.txt
fi
