#!/usr/bin/env bash
# Drives a planner through a split in closed loop, over the socket bridge, and scores it.
#   scripts/closed_loop_test.sh [SHIPPED_MODEL]
#   scripts/closed_loop_test.sh CONFIG CHECKPOINT MODEL_NAME DATA_TYPE NR|R [ASSET_NAME] [KEY=VALUE ...]
# Without more arguments: a shipped planner (vadv2_demo, or vadv2_demo_post_trained) through the built-in split demo.
# ASSET_NAME: reconstructed assets in data/sim_engine/assets/ASSET_NAME/assets; without it scenes are lifted from logs.
# KEY=VALUE words are overrides of `simengine run`, for example worker=ray num_workers=2.
# PLANNER_GPUS="0 1": one planner on each of these cards, for the workers of that card; else one planner for all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'closed_loop_test: %s\n' "$*" >&2; exit 1; }

positional=() overrides=()
for word in "$@"; do
  case "$word" in *=*) overrides+=("$word") ;; *) positional+=("$word") ;; esac
done
case ${#positional[@]} in
  0 | 1) model_name=${positional[0]:-vadv2_demo} data_type=demo traffic=NR planner=(--model "$model_name") ;;
  5 | 6)
    planner=("${positional[0]}" "${positional[1]}") model_name=${positional[2]} data_type=${positional[3]}
    traffic=${positional[4]}
    ;;
  *) fail "got ${#positional[@]} positional arguments, expected none, a shipped model, or CONFIG CHECKPOINT MODEL_NAME DATA_TYPE NR|R [ASSET_NAME]" ;;
esac
case "$traffic" in NR | R) ;; *) fail "traffic is '$traffic', expected NR or R" ;; esac
if [ ${#positional[@]} -eq 6 ]; then
  assets=data/sim_engine/assets/${positional[5]}/assets
  [ -d "$assets" ] || fail "ASSET_NAME '${positional[5]}' was given, but there is no $assets: download it there, or leave it out to render what is lifted from the logs"
  overrides=("render.asset_root=$assets" "${overrides[@]}")
fi

bash scripts/bootstrap.sh
bin=$PWD/.venv/bin

socket_dir=$(mktemp -d)
# `simengine run` puts the card of each worker in the place of __GPU__.
if [ -n "${PLANNER_GPUS:-}" ]; then address="ipc://$socket_dir/planner-__GPU__.sock"; else address="ipc://$socket_dir/planner.sock"; fi
supervisors=()

# supervise_planner ADDRESS: a planner that dies is started again, so that only scenarios in flight are begun again.
supervise_planner() {
  local address=$1 server= starts=0 code
  trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; exit 0' TERM INT
  while [ $starts -lt 5 ]; do
    "$bin/algengine" serve "${planner[@]}" --address "$address" &
    server=$!
    code=0
    wait "$server" || code=$?
    # Below 128 the planner ended by itself and has said why; starting it again would not help.
    [ $code -lt 128 ] && return $code
    starts=$((starts + 1))
    printf 'closed_loop_test: the planner was killed (exit code %s), starting it again\n' "$code" >&2
  done
  return 1
}

cleanup() {
  for supervisor in "${supervisors[@]}"; do
    kill "$supervisor" 2>/dev/null || true
    wait "$supervisor" 2>/dev/null || true
  done
  rm -rf "$socket_dir"
}
trap cleanup EXIT

if [ -n "${PLANNER_GPUS:-}" ]; then
  for gpu in $PLANNER_GPUS; do
    CUDA_VISIBLE_DEVICES=$gpu supervise_planner "${address/__GPU__/$gpu}" &
    supervisors+=($!)
  done
else
  supervise_planner "$address" &
  supervisors=($!)
fi
# Prints the process of a planner that has ended, if one has.
ended_supervisor() {
  local supervisor
  for supervisor in "${supervisors[@]}"; do
    kill -0 "$supervisor" 2>/dev/null || { echo "$supervisor"; return; }
  done
}

"$bin/simengine" run model_name="$model_name" split="$data_type" traffic="$traffic" bridge.address="$address" "${overrides[@]}" &
simulator=$!
# Ctrl-C at a terminal reaches the simulator directly, a signal to this script alone does not: pass it on if needed.
stop=
trap 'stop=1' INT TERM
# A planner that cannot start (missing checkpoint, say) would leave the simulator waiting.
code=
while [ -z "$code" ]; do
  if ! kill -0 "$simulator" 2>/dev/null; then
    code=0; wait "$simulator" || code=$?
  elif [ -n "$stop" ]; then
    sleep 1
    kill -INT "$simulator" 2>/dev/null || true
    stop=
  elif ended=$(ended_supervisor) && [ -n "$ended" ]; then
    planner_code=0; wait "$ended" || planner_code=$?
    code=0
    if [ "$planner_code" -ne 0 ]; then
      kill -TERM "$simulator" 2>/dev/null || true
      wait "$simulator" || true
      code=1
    else
      wait "$simulator" || code=$?
    fi
  else
    sleep 0.2
  fi
done
exit "$code"
