#!/usr/bin/env bash
# Evaluates a planner on NAVSIM's training frames, part after part; what finds rare cases reads the table.
#   scripts/e2e_dist_eval_navtrain_chunked.sh CONFIG CHECKPOINT NUM_GPUS [NUM_CHUNKS] [OPTION ...]
# NUM_CHUNKS: default 10; scores of one part at a time are held in memory. SPLIT, INFOS, IMAGES, CACHE: the original's places below
# WORLDENGINE_ROOT by default; CACHE= (empty) gives displacement errors only. The table is experiments/<config>/navtrain.csv, parts lie beside it.
# Otherwise as scripts/e2e_dist_eval.sh.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
fail() { printf 'e2e_dist_eval_navtrain_chunked: %s\n' "$*" >&2; exit 1; }
[ $# -ge 3 ] || fail "got $# arguments, expected CONFIG CHECKPOINT NUM_GPUS [NUM_CHUNKS] [OPTION ...]"
config=$1 checkpoint=$2 gpus=$3 chunks=10
shift 3
case "${1:-}" in "" | -*) ;; *[!0-9]*) fail "NUM_CHUNKS is '$1', expected a number" ;; *) chunks=$1; shift ;; esac
split=${SPLIT:-configs/navsim_splits/navtrain_split/navtrain.yaml}
infos=${INFOS:-data/alg_engine/merged_infos_navformer/nuplan_openscene_navtrain.pkl}
images=${IMAGES:-data/raw/openscene-v1.1/sensor_blobs/trainval}
cache=${CACHE-data/alg_engine/pdms_cache/pdm_8192_gt_cache_navtrain.pkl}
exec bash "$here/e2e_dist_eval.sh" "$config" "$checkpoint" "$gpus" --split "$split" --infos "$infos" --images "$images" ${cache:+--cache "$cache"} \
  --chunks "$chunks" "$@"
