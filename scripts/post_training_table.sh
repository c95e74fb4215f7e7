#!/usr/bin/env bash
# Makes the table of post-training on the built-in world: mines rare cases, rolls out, fine-tunes, tests every recipe.
#   scripts/post_training_table.sh [OPTION ...]
# Options are those of `algengine table`, for example --scenarios 24 --test-scenarios 24 --seeds 1 --steps 100.
# Interrupted, it goes on where it stopped. SKIP_BOOTSTRAP=1 uses the environment as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ -z "${SKIP_BOOTSTRAP:-}" ]; then bash scripts/bootstrap.sh; fi
bin=$PWD/.venv/bin
if [ -x "$bin/algengine" ]; then exec "$bin/algengine" table "$@"; else exec python3 -m algengine.cli.main table "$@"; fi
