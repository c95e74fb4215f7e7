"""The whole table at its smallest, as a process, killed and resumed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from algengine.table.make import _notes
from algengine.table.options import TableOptions
from table_factories import TINY, write_tiny_weights

pytestmark = [pytest.mark.mm, pytest.mark.slow]
REPOSITORY = Path(__file__).resolve().parents[3]
FILES = ("table.md", "table.csv", "plots/open_loop.svg", "plots/closed_loop.svg", "failures.html")


def start(work: Path, weights: Path) -> subprocess.Popen:
    words = ("table", "--work-dir", str(work), "--checkpoint", str(weights), "--jobs", "2", *TINY)
    return subprocess.Popen([sys.executable, "-m", "algengine.cli.main", *words], cwd=REPOSITORY)


def num_done(work: Path) -> int:
    return len(list(work.glob("stages/*.done.json")))


def test_notes_tell_of_the_rows_that_are_there():
    every, on_policy = (
        " ".join(_notes(TableOptions(Path("weights.pth"), rows=rows), {})) for rows in ((), ("on_policy",))
    )
    assert "2000 updates of 48 decisions" in every and "variants made by a rule" in every
    assert "On-policy" not in every
    assert "30 rounds of driving" in on_policy
    assert "updates of 48" not in on_policy and "variants" not in on_policy


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    weights = write_tiny_weights(folder / "base")
    assert start(folder / "table", weights).wait() == 0
    return folder / "table", weights


def test_all_rows_and_files_are_there(whole):
    table, _ = whole
    assert all((table / name).is_file() for name in FILES)
    text = (table / "table.md").read_text()
    assert "| Base model |" in text
    assert "| Full recipe (rule-based variants) |" in text
    assert "not known" not in text


def test_done_again_it_only_writes_the_same(whole):
    table, weights = whole
    before = {name: (table / name).read_bytes() for name in FILES}
    markers = {path: path.stat().st_mtime_ns for path in table.glob("stages/*.done.json")}
    assert start(table, weights).wait() == 0
    assert {name: (table / name).read_bytes() for name in FILES} == before
    assert {path: path.stat().st_mtime_ns for path in table.glob("stages/*.done.json")} == markers


def test_killed_at_five_random_moments_it_ends_with_the_same_table(whole, tmp_path):
    table, weights = whole
    rng = random.Random(int(os.environ.get("KILL_SEED", "0")))
    # After so many stages, and then somewhere within the next one.
    for wanted in sorted(rng.sample(range(num_done(table) - 3), 5)):
        process = start(tmp_path, weights)
        while process.poll() is None and num_done(tmp_path) < wanted:
            time.sleep(0.02)
        moment, done = time.monotonic() + rng.uniform(0.0, 2.0), num_done(tmp_path)
        while time.monotonic() < moment and num_done(tmp_path) == done:
            time.sleep(0.02)
        assert process.poll() is None, "the table was done before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(tmp_path, weights).wait() == 0
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (table / name).read_bytes(), name
