#!/usr/bin/env bash
# Exports the rollouts of a run as training data below data/alg_engine/openscene-synthetic.
#   scripts/export_simulation_data.sh --test_path RUN [--appendix NAME]
set -euo pipefail
fail() { printf 'export_simulation_data: %s\n' "$*" >&2; exit 1; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
run= appendix=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || fail "$1 has no value, expected --test_path RUN [--appendix NAME]"
  case "$1" in
    --test_path) run=$2 ;;
    --appendix) appendix=$2 ;;
    *) fail "unknown argument '$1', expected --test_path RUN [--appendix NAME]" ;;
  esac
  shift 2
done
[ -n "$run" ] || fail "expected --test_path RUN [--appendix NAME]"
exec "$here/.venv/bin/simengine" export "$run" ${appendix:+--appendix "$appendix"}
