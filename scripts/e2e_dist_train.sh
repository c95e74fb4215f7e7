#!/usr/bin/env bash
# Trains a planner on several GPUs, or with processes on the CPU.
#   scripts/e2e_dist_train.sh CONFIG NUM_GPUS [CHECKPOINT|auto] [KEY=VALUE ...]
# CONFIG: path of a config, or the name of a shipped one. NUM_GPUS: GPUs of this machine; 0 trains on the CPU, in NPROC processes (default 1).
# CHECKPOINT: go on from it with optimiser, schedule and place in the data; auto: from the newest one of the work dir. To begin from
# weights alone pass load_from=PATH. KEY=VALUE words override keys of the config.
# WORK_DIR: default experiments/<path of the config below configs/alg>. Several machines: WORLD_SIZE (number of machines), RANK (of this one),
# MASTER_ADDR, MASTER_PORT.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'e2e_dist_train: %s\n' "$*" >&2; exit 1; }

positional=() overrides=()
for word in "$@"; do
  case "$word" in *=*) overrides+=("$word") ;; *) positional+=("$word") ;; esac
done
case ${#positional[@]} in
  2 | 3) config=${positional[0]} gpus=${positional[1]} resume=${positional[2]:-} ;;
  *) fail "got ${#positional[@]} positional arguments, expected CONFIG NUM_GPUS [CHECKPOINT|auto]" ;;
esac
case "$gpus" in "" | *[!0-9]*) fail "NUM_GPUS is '$gpus', expected a number" ;; esac

if [ -z "${SKIP_BOOTSTRAP:-}" ]; then bash scripts/bootstrap.sh; fi
python=$PWD/.venv/bin/python
[ -x "$python" ] || python=python3

if [ "$gpus" -eq 0 ]; then
  processes=${NPROC:-1} device=cpu
  case "$processes" in "" | *[!0-9]* | 0) fail "NPROC is '$processes', expected a number of at least 1" ;; esac
  export CUDA_VISIBLE_DEVICES=
else
  processes=$gpus device=cuda
  visible=$("$python" -c 'import torch; print(torch.cuda.device_count())')
  [ "$gpus" -le "$visible" ] || fail "NUM_GPUS is $gpus but this PyTorch sees $visible: ask for at most $visible, or for 0 to train on the CPU"
fi

name=${config%.py}
name=${name#"$PWD/"} name=${name#configs/alg/}
case "$name" in /*) name=$(basename "$name") ;; esac
arguments=("$config" --work-dir "${WORK_DIR:-experiments/$name}" --device "$device" --launcher pytorch)
if [ -n "$resume" ]; then arguments+=(--resume "$resume"); fi
if [ ${#overrides[@]} -gt 0 ]; then arguments+=(--cfg-options "${overrides[@]}"); fi

if [ "${WORLD_SIZE:-1}" -gt 1 ]; then
  [ -n "${MASTER_ADDR:-}" ] || fail "WORLD_SIZE is $WORLD_SIZE machines but MASTER_ADDR is not set: set it to the address of the first"
  meeting=(--nnodes "$WORLD_SIZE" --node-rank "${RANK:-0}" --master-addr "$MASTER_ADDR" --master-port "${MASTER_PORT:-28567}")
else
  # A free port of its own, so that two runs on one machine do not meet; not every machine knows its own name.
  meeting=(--standalone --local-addr 127.0.0.1)
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$python" -m algengine.engine.launch "${meeting[@]}" --nproc-per-node "$processes" -m algengine.cli.main train "${arguments[@]}"
