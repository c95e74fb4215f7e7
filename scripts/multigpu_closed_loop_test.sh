#!/usr/bin/env bash
# closed_loop_test.sh on all cards of this machine; without arguments the shipped planner drives the split demo.
#   scripts/multigpu_closed_loop_test.sh
#   scripts/multigpu_closed_loop_test.sh CONFIG CHECKPOINT MODEL_NAME DATA_TYPE NR|R [ASSET_NAME] [KEY=VALUE ...]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/run_ray_distributed_testing.sh" "$@"
