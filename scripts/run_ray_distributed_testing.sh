#!/usr/bin/env bash
# Tests a planner in closed loop on all cards of this machine, or on all its cores if it has no card.
#   scripts/run_ray_distributed_testing.sh CONFIG CHECKPOINT MODEL_NAME DATA_TYPE NR|R [ASSET_NAME] [KEY=VALUE ...]
# CUDA_VISIBLE_DEVICES says which cards, WORKERS_PER_GPU (default 2) how many simulators share one with its planner.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

fail() { printf 'run_ray_distributed_testing: %s\n' "$*" >&2; exit 1; }

[ -z "${RAY_ADDRESS:-}" ] || fail "RAY_ADDRESS is set, but planners started here would be out of reach of other machines: see docs/cluster.md"

share=${WORKERS_PER_GPU:-2}
case "$share" in "" | *[!0-9]* | 0) fail "WORKERS_PER_GPU is '$share', expected a number of at least 1" ;; esac

if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
  gpus=${CUDA_VISIBLE_DEVICES//,/ }
else
  gpus=$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null | tr '\n' ' ') || gpus=
fi
read -r -a gpus <<<"$gpus"

words=(worker=ray)
if [ ${#gpus[@]} -gt 0 ]; then
  export PLANNER_GPUS="${gpus[*]}"
  words+=("gpus_per_worker=$(awk "BEGIN { printf \"%.4g\", 1 / $share }")" "num_workers=$((share * ${#gpus[@]}))" render.backend=auto)
fi
# Words of the caller come last, so that they win.
exec bash "$here/closed_loop_test.sh" "${words[@]}" "$@"
