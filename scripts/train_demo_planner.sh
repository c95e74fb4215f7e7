#!/usr/bin/env bash
# Makes the shipped planner vadv2_demo from nothing: world, recordings, labels, vocabulary, training, export.
#   scripts/train_demo_planner.sh [NUM_SCENARIOS] [KEY=VALUE ...]
# NUM_SCENARIOS: how many scenarios of common_train to use (default: 800, what the shipped weights saw). KEY=VALUE words
# override keys of the training config, for example train_cfg.max_epochs=1. DEVICE=auto|cpu|cuda, WORKERS (processes for the data) and
# OUT (where the weights go, default: the package's assets) are read from the environment.
# Everything is seeded; a step whose results are there is not done again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'train_demo_planner: %s\n' "$*" >&2; exit 1; }
say() { printf 'train_demo_planner: %s\n' "$*" >&2; }

count=800 plans=256 overrides=()
for word in "$@"; do
  case "$word" in
    model.head.vocabulary_size=*) overrides+=("$word") plans=${word#*=} ;;
    *=*) overrides+=("$word") ;;
    *[!0-9]* | "") fail "unknown argument '$word', expected a number of scenarios or KEY=VALUE" ;;
    *) count=$word ;;
  esac
done
device=${DEVICE:-auto} workers=${WORKERS:-$(nproc)}
out=${OUT:-algengine/src/algengine/assets/vadv2_demo}

if [ -z "${SKIP_BOOTSTRAP:-}" ]; then bash scripts/bootstrap.sh; fi
bin=$PWD/.venv/bin
sim() { if [ -x "$bin/simengine" ]; then "$bin/simengine" "$@"; else python3 -m simengine.cli.main "$@"; fi; }
alg() { if [ -x "$bin/algengine" ]; then "$bin/algengine" "$@"; else python3 -m algengine.cli.main "$@"; fi; }

# A name of its own, because the built-in split of the same name would be generated again at each use.
split=vadv2_demo_train
scenarios=data/sim_engine/scenarios/original/$split
recordings=data/alg_engine/recordings/$split
vocabulary=data/alg_engine/vocabulary/vadv2_demo.npy
work=experiments/vadv2_demo

parallel=()
if [ "$workers" -gt 1 ]; then parallel=(worker=processes "num_workers=$workers"); fi

say "1/6 scenarios"
[ -f "$scenarios/index.json" ] || sim generate common_train "$scenarios" --workers "$workers" --num-scenarios "$count"
say "2/6 recordings"
sim run --config-name record split=$split "output_dir=$recordings" "num_scenarios=$count" "${parallel[@]}"
say "3/6 labels"
alg labels "$recordings" "$scenarios" --workers "$workers"
say "4/6 vocabulary"
[ -f "$vocabulary" ] || alg vocabulary "$recordings/observations" "$vocabulary" --size "$plans"
say "5/6 training"
alg train vadv2_demo --work-dir "$work" --device "$device" --cfg-options "${overrides[@]}"
say "6/6 export"
alg export "$work/last_checkpoint" "$out" --config vadv2_demo --cfg-options "${overrides[@]}"
say "weights and log are in $out"
