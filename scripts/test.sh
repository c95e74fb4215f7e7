#!/usr/bin/env bash
# Lint, import contracts and every test that needs no GPU. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/bootstrap.sh
bash scripts/install_browser.sh
export PATH="$PWD/.venv/bin:$PATH"
ruff check .
ruff format --check .
lint-imports
codespell README.md CONTRIBUTING.md CHANGELOG.md docs simengine/src algengine/src scripts
# Each of the many processes that tests start would compile the packages again.
unset PYTHONDONTWRITEBYTECODE
exec python -m pytest -m "not gpu" "$@"
