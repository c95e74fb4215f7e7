#!/usr/bin/env bash
# Evaluates a planner open loop on several GPUs, or on the CPU: PDM scores with intervals, displacement errors.
#   scripts/e2e_dist_eval.sh CONFIG CHECKPOINT NUM_GPUS [OPTION ...]
# CONFIG: path of a config, or the name of a shipped one. NUM_GPUS: GPUs of this machine; 0 uses the CPU, in NPROC processes (default 1).
# OPTION words go to `algengine evaluate`: --split YAML, --cache DIR, --scenarios DIR, --recordings DIR, --output CSV, --chunks N, --overwrite,
# --cfg-options KEY=VALUE ... Without --cache and --scenarios scores are looked up in the cache that the config names (pdm_path), if it is there.
# Started again, it goes on where it stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'e2e_dist_eval: %s\n' "$*" >&2; exit 1; }

[ $# -ge 3 ] || fail "got $# arguments, expected CONFIG CHECKPOINT NUM_GPUS [OPTION ...]"
config=$1 checkpoint=$2 gpus=$3
shift 3
case "$gpus" in "" | *[!0-9]*) fail "NUM_GPUS is '$gpus', expected a number" ;; esac

if [ -z "${SKIP_BOOTSTRAP:-}" ]; then bash scripts/bootstrap.sh; fi
python=$PWD/.venv/bin/python
[ -x "$python" ] || python=python3

processes=$gpus device=cuda
if [ "$gpus" -eq 0 ]; then
  processes=${NPROC:-1} device=cpu
  case "$processes" in "" | *[!0-9]* | 0) fail "NPROC is '$processes', expected a number of at least 1" ;; esac
fi
command=(-m algengine.cli.main evaluate "$config" "$checkpoint" --device "$device" "$@")
if [ "$processes" -eq 1 ]; then exec "$python" "${command[@]}"; fi
# The launcher's option comes before those of the caller, of which the last may take any number of values.
command=(-m algengine.cli.main evaluate "$config" "$checkpoint" --device "$device" --launcher pytorch "$@")
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$python" -m algengine.engine.launch --standalone --local-addr 127.0.0.1 --nproc-per-node "$processes" "${command[@]}"
