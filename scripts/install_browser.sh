#!/usr/bin/env bash
# Installs Chromium and its driver, which the test of the viewer needs; does nothing where they are.
# Where they cannot be installed it says so and goes on: the test is then skipped, or fails if CI is set.
set -euo pipefail

say() { printf 'install_browser: %s\n' "$*" >&2; }

# The same names as in tests/browser.py.
have_browser() {
  command -v chromedriver >/dev/null &&
    { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
}

if have_browser; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "installing Chromium (a minute, once)"
  export DEBIAN_FRONTEND=noninteractive
  apt=(apt-get -qq -o DPkg::Lock::Timeout=120)
  { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 || true
fi
have_browser || say "the viewer is not tested in a browser here: install chromium and chromedriver" \
  "(Debian: sudo apt-get install chromium chromium-driver)"
