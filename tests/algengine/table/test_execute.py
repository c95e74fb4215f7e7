import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from algengine.table.budget import Budget
from algengine.table.code import code_digest, code_folders, warning
from algengine.table.execute import is_done, run_stages
from algengine.table.stage import OUT, Stage
from simengine.errors import ConfigError, SimEngineError


@dataclass(frozen=True)
class Script(Stage):
    """A stage whose first word is a Python program."""

    def command(self, share=1):
        words = (w.replace(OUT, str(self.folder)) for w in self.words + self.carried_out)
        return [sys.executable, "-c", *words, *([str(share)] if self.spread else [])]


_COUNT = """
import pathlib, sys
out = pathlib.Path(sys.argv[1]); out.mkdir(parents=True, exist_ok=True)
total = sum(int((pathlib.Path(p) / "n").read_text()) for p in sys.argv[2:])
with open("ran", "a") as file: file.write(out.name + "\\n")
(out / "n").write_text(str(total + 1))
"""


def count(name: str, *needs: Stage) -> Script:
    """Write one more than the sum of what the needed stages wrote."""
    return Script(name, (_COUNT, OUT, *(str(n.folder) for n in needs)), needs)


def diamond() -> list[Script]:
    first = count("first")
    left, right = count("left", first), count("right", first)
    return [first, left, right, count("last", left, right)]


def ran(root: Path) -> list[str]:
    return [line.split("-")[0] for line in (root / "ran").read_text().split()]


@pytest.mark.parametrize("jobs", [1, 3])
def test_runs_each_stage_once_after_those_it_needs(tmp_path, jobs):
    stages = diamond()
    run_stages(stages, tmp_path, Budget(jobs, jobs))
    assert (tmp_path / stages[-1].folder / "n").read_text() == "5"
    order = ran(tmp_path)
    assert sorted(order) == ["first", "last", "left", "right"]
    assert order[0] == "first"
    assert order[-1] == "last"
    told = []
    run_stages(stages, tmp_path, Budget(jobs, jobs), progress=lambda stage, what: told.append(what))
    assert ran(tmp_path) == order
    assert told == ["kept"] * 4


def test_a_stage_without_its_marker_runs_again_and_no_other(tmp_path):
    stages = diamond()
    run_stages(stages, tmp_path, Budget())
    (tmp_path / stages[1].marker).unlink()
    assert not is_done(stages[1], tmp_path)
    run_stages(stages, tmp_path, Budget())
    assert ran(tmp_path)[4:] == ["left"]


def test_a_stage_whose_folder_was_deleted_runs_again_and_no_other(tmp_path):
    stages = diamond()
    run_stages(stages, tmp_path, Budget())
    shutil.rmtree(tmp_path / stages[1].folder)
    assert not is_done(stages[1], tmp_path)
    run_stages(stages, tmp_path, Budget())
    assert ran(tmp_path)[4:] == ["left"]


def test_what_decides_the_result_names_the_folder():
    first, left, right, last = diamond()
    other = replace(first, inputs=("another planner",))
    assert other.folder != first.folder
    assert count("left", other).key != left.key
    assert replace(last, carried_out=("--device", "cpu")).key == last.key
    assert replace(left, needs=()).key != left.key
    assert right.key != left.key


_TELL = """
import os, sys
with open("told", "a") as file: file.write(f"{sys.argv[1]} {os.environ['OMP_NUM_THREADS']}\\n")
"""


def test_a_stage_is_told_how_many_cores_it_may_use(tmp_path):
    alone = Script("alone", (_TELL,), spread="--workers")
    whole = Script("whole", (_TELL, "cannot tell"), (alone,))
    run_stages([alone, whole], tmp_path, Budget(jobs=2, cores=6))
    assert (tmp_path / "told").read_text().splitlines() == ["6 1", "cannot tell 3"]


def test_a_stage_that_fails_says_its_last_lines_and_is_not_done(tmp_path):
    bad = Script("bad", ("print('one reason'); raise SystemExit(3)",))
    with pytest.raises(SimEngineError, match="exit code 3(.|\n)*one reason"):
        run_stages([bad], tmp_path, Budget())
    assert not is_done(bad, tmp_path)


def test_the_others_are_stopped_when_one_fails(tmp_path):
    slow = Script("slow", ("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)",))
    until = "while not (os.path.exists('pid') and open('pid').read()): time.sleep(0.01)"
    wait = f"import os, time\n{until}\nraise SystemExit(1)"
    with pytest.raises(SimEngineError):
        run_stages([slow, Script("bad", (wait,))], tmp_path, Budget(2, 2))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_two_tables_do_not_share_a_folder(tmp_path):
    nested = f"""
from pathlib import Path
from algengine.table.budget import Budget
from algengine.table.execute import run_stages
run_stages([], Path({str(tmp_path)!r}), Budget())
"""
    with pytest.raises(SimEngineError, match="another process") as caught:
        run_stages([Script("nested", (nested,))], tmp_path, Budget())
    assert not isinstance(caught.value, ConfigError)


def test_finished_stages_of_other_code_are_kept_and_told_of_in_one_line(tmp_path):
    stages = diamond()
    run_stages(stages, tmp_path, Budget())
    assert warning(stages, tmp_path, code_digest()) == ""
    assert "4 of 4 finished stages" in warning(stages, tmp_path, "other")
    marker = tmp_path / stages[1].marker
    marker.write_text('{"name": "left"}')  # as it was before markers knew
    line = warning(stages, tmp_path, code_digest())
    assert line.startswith(
        "1 of 4 finished stages were made by other code than this and are kept (left, ...)"
    )
    assert "--work-dir" in line
    assert "\n" not in line
    marker.unlink()
    assert warning(stages, tmp_path, code_digest()) == ""


def test_the_digest_is_of_all_source_and_configs(tmp_path):
    names = {
        f"{p.relative_to(f)}" for f in code_folders() for p in f.rglob("*") if p.suffix in (".py", ".yaml")
    }
    assert {"sim/loop.py", "post_training/train.py"} <= names
    assert any(name.endswith("post_training/e2e_vadv2_50pct_rlft_rare_log.py") for name in names)
    source = tmp_path / "a.py"
    seen = [code_digest([tmp_path])]
    for change in (
        lambda: source.write_text("a"),
        lambda: source.write_text("b"),
        lambda: source.rename(tmp_path / "b.py"),
    ):
        change()
        seen.append(code_digest([tmp_path]))
    (tmp_path / "notes.txt").write_text("no source")
    assert code_digest([tmp_path]) == seen[-1]
    assert len(set(seen)) == 4


_DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
sys.path.insert(0, {here!r})
from test_execute import diamond
from algengine.table.budget import Budget
from algengine.table.execute import run_stages
run_stages(diamond(), Path({root!r}), Budget(2, 2))
"""


def test_killed_at_random_moments_it_ends_with_the_same(tmp_path):
    here = Path(__file__).parent
    code = _DRIVER.format(tests=str(here.parents[1]), here=str(here), root=str(tmp_path))
    rng, last = random.Random(0), diamond()[-1]
    for _ in range(5):
        driver = subprocess.Popen([sys.executable, "-c", code])
        time.sleep(rng.uniform(0.3, 1.5))
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / last.folder / "n").read_text() == "5"
    assert json.loads((tmp_path / last.marker).read_text())["key"] == last.key
