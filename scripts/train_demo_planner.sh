#!/usr/bin/env bash
# Makes a demo planner from nothing: world, recordings, labels, vocabulary, training, export.
#   scripts/train_demo_planner.sh [CONFIG] [NUM_SCENARIOS] [KEY=VALUE ...]
# CONFIG: vadv2_demo (default), or hydramdp_demo, which chooses from the plans of the shipped vadv2_demo and also learns their PDM
# sub-scores. NUM_SCENARIOS: how many scenarios of common_train to use (default: 800, what the shipped weights saw). KEY=VALUE words
# override keys of the training config, for example train_cfg.max_epochs=1. DEVICE=auto|cpu|cuda, WORKERS (processes for data and loading),
# OUT (where the weights go, default: the package's assets) and DATA_ONLY=1 (stop before training) are read from the environment.
# Everything is seeded; a step whose results are there is not done again, but for labels and training.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'train_demo_planner: %s\n' "$*" >&2; exit 1; }
say() { printf 'train_demo_planner: %s\n' "$*" >&2; }

config=vadv2_demo count=800 plans=256 overrides=()
for word in "$@"; do
  case "$word" in
    model.head.vocabulary_size=*) overrides+=("$word") plans=${word#*=} ;;
    *=*) overrides+=("$word") ;;
    vadv2_demo | hydramdp_demo) config=$word ;;
    *[!0-9]* | "") fail "unknown argument '$word', expected vadv2_demo, hydramdp_demo, a number of scenarios or KEY=VALUE" ;;
    *) count=$word ;;
  esac
done
device=${DEVICE:-auto} workers=${WORKERS:-$(nproc)}
assets=algengine/src/algengine/assets
out=${OUT:-$assets/$config}

if [ -z "${SKIP_BOOTSTRAP:-}" ]; then bash scripts/bootstrap.sh; fi
bin=$PWD/.venv/bin
sim() { if [ -x "$bin/simengine" ]; then "$bin/simengine" "$@"; else python3 -m simengine.cli.main "$@"; fi; }
alg() { if [ -x "$bin/algengine" ]; then "$bin/algengine" "$@"; else python3 -m algengine.cli.main "$@"; fi; }

# A name of its own, because the built-in split of the same name would be generated again at each use.
split=vadv2_demo_train
scenarios=data/sim_engine/scenarios/original/$split
recordings=data/alg_engine/recordings/$split
scores=data/alg_engine/recordings/hydramdp_demo_scores
vocabulary=data/alg_engine/vocabulary/$config.npy
work=experiments/$config

parallel=()
if [ "$workers" -gt 1 ]; then parallel=(worker=processes "num_workers=$workers"); fi

record() { sim run --config-name record split=$split "num_scenarios=$count" "${parallel[@]}" "$@"; }

say "1/6 scenarios"
[ -f "$scenarios/index.json" ] || sim generate common_train "$scenarios" --workers "$workers" --num-scenarios "$count"
say "2/6 recordings"
record "output_dir=$recordings"
say "3/6 labels"
alg labels "$recordings" "$scenarios" --workers "$workers"
if [ "$config" = hydramdp_demo ]; then
  say "4/6 vocabulary of vadv2_demo, scores of its plans"
  # Written anew, so that scores of plans that are no longer shipped are refused instead of used.
  alg post-train --vocabulary "$vocabulary" --checkpoint "$assets/vadv2_demo/weights.pth"
  record "output_dir=$scores" record.cameras=none "rewards.vocabulary=$vocabulary"
else
  say "4/6 vocabulary"
  [ -f "$vocabulary" ] || alg vocabulary "$recordings/observations" "$vocabulary" --size "$plans"
fi
if [ -n "${DATA_ONLY:-}" ]; then say "data is complete"; exit 0; fi
say "5/6 training"
# Decoding of images keeps a GPU waiting unless several processes do it.
readers=$((workers < 10 ? workers : 10))
alg train "$config" --work-dir "$work" --device "$device" --overwrite --cfg-options "train_dataloader.num_workers=$readers" "${overrides[@]}"
say "6/6 export"
if [ "$config" = hydramdp_demo ]; then
  alg fit-ranking "$config" "$work/last_checkpoint" --output "$work/ranking.txt" --device "$device" --cfg-options "${overrides[@]}"
  mapfile -t ranking < "$work/ranking.txt"
  overrides+=("${ranking[@]}")
fi
alg export "$work/last_checkpoint" "$out" --config "$config" --cfg-options "${overrides[@]}"
say "weights and log are in $out"
