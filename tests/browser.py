"""A Chromium without a screen, for tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = ("chromium", "chromium-browser", "google-chrome")
# Software rendering, no network chatter; a container's root may not use the sandbox.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


def find_browser() -> tuple[str, str] | None:
    """Return the paths of Chromium and of its driver, None if either is missing."""
    browser = next(filter(None, map(shutil.which, BINARIES)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def open_browser(profile: Path, width: int = 1280, height: int = 720) -> Iterator:
    """Yield a selenium driver of a new Chromium with its own empty profile."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    found = find_browser()
    assert found is not None
    # A sandboxed home may be read-only, and selenium must not look for drivers on the network.
    os.environ["SE_OFFLINE"] = "true"
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    driver.set_window_size(width, height)
    try:
        yield driver
    finally:
        driver.quit()
