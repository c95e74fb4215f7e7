#!/usr/bin/env bash
# Tests a planner in closed loop with one worker.
#   scripts/run_testing.sh CONFIG CHECKPOINT MODEL_NAME DATA_TYPE NR|R [ASSET_NAME] [KEY=VALUE ...]
set -euo pipefail
exec bash "$(dirname "${BASH_SOURCE[0]}")/closed_loop_test.sh" "$@"
