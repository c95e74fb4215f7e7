"""Compiled code that is older than its source is thrown away before the tests start; Ray's workers get their share."""

import os
from pathlib import Path

import simengine

# numba notices that a cached function changed, but not that a function it calls did, in another file.
PACKAGE = Path(simengine.__file__).parent


def pytest_sessionstart(session):
    # By default they starve beside anything else that runs on this machine, and tests wait for them in vain.
    os.environ.setdefault("RAY_worker_niceness", "0")
    cached = [*PACKAGE.rglob("*.nbi"), *PACKAGE.rglob("*.nbc")]
    if not cached:
        return
    compiled = [path for path in PACKAGE.rglob("*.py") if "njit" in path.read_text()]
    # Another session may be throwing the same files away.
    ages = [path.stat().st_mtime for path in cached if path.exists()]
    if ages and max(path.stat().st_mtime for path in compiled) > min(ages):
        for path in cached:
            path.unlink(missing_ok=True)
