#!/usr/bin/env bash
# Puts the parts split_<i> of a distributed run together.
#   scripts/merge_simulation_results.sh --test_path RUN --react_type NR|R
set -euo pipefail
fail() { printf 'merge_simulation_results: %s\n' "$*" >&2; exit 1; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
run= react=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || fail "$1 has no value, expected --test_path RUN --react_type NR|R"
  case "$1" in
    --test_path) run=$2 ;;
    --react_type) react=$2 ;;
    *) fail "unknown argument '$1', expected --test_path RUN --react_type NR|R" ;;
  esac
  shift 2
done
[ -n "$run" ] && [ -n "$react" ] || fail "expected --test_path RUN --react_type NR|R"
exec "$here/.venv/bin/simengine" merge "$run" --react-type "$react"
