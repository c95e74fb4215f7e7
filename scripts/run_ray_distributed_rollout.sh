#!/usr/bin/env bash
# Drives a planner and keeps images, frames and rewards of every decision as training data; then exports them.
#   scripts/run_ray_distributed_rollout.sh CONFIG CHECKPOINT MODEL_NAME DATA_TYPE [ASSET_NAME] [KEY=VALUE ...]
# rewards.vocabulary=FILE names the planner's vocabulary. Traffic is NR. Cards as in run_ray_distributed_testing.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'run_ray_distributed_rollout: %s\n' "$*" >&2; exit 1; }

positional=() overrides=() vocabulary= output=
for word in "$@"; do
  case "$word" in
    rewards.vocabulary=*) vocabulary=${word#*=} overrides+=("$word") ;;
    output_dir=*) output=${word#*=} overrides+=("$word") ;;
    *=*) overrides+=("$word") ;;
    *) positional+=("$word") ;;
  esac
done
case ${#positional[@]} in
  4 | 5) ;;
  *) fail "got ${#positional[@]} positional arguments, expected CONFIG CHECKPOINT MODEL_NAME DATA_TYPE [ASSET_NAME]" ;;
esac
[ -n "$vocabulary" ] || fail "no vocabulary to reward, expected rewards.vocabulary=FILE among the arguments"
model=${positional[2]} data=${positional[3]}

bash scripts/run_ray_distributed_testing.sh "${positional[@]:0:4}" NR "${positional[@]:4}" \
  record.cameras=all record.openscene=true rewards.format=both protocol.lookahead=4.0 "${overrides[@]}"
exec bash scripts/export_simulation_data.sh \
  --test_path "${output:-experiments/closed_loop_exps/$model/${data}_NR}" --appendix "$(date +%y%m%d)"
