#!/usr/bin/env bash
# Evaluates a planner on the failures among NAVSIM's test frames.
#   scripts/e2e_dist_eval_navtest_failures.sh CONFIG CHECKPOINT NUM_GPUS [OPTION ...]
# SPLIT: default configs/navsim_splits/navtest_split/navtest_failures_filtered.yaml. Otherwise as scripts/e2e_dist_eval.sh.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
[ $# -ge 3 ] || { echo "e2e_dist_eval_navtest_failures: got $# arguments, expected CONFIG CHECKPOINT NUM_GPUS [OPTION ...]" >&2; exit 1; }
split=${SPLIT:-configs/navsim_splits/navtest_split/navtest_failures_filtered.yaml}
exec bash "$here/e2e_dist_eval.sh" "$1" "$2" "$3" --split "$split" "${@:4}"
