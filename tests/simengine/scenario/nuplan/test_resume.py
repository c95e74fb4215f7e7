"""Conversions that are interrupted, killed or run out of disk: nothing done is lost, and the result is the same."""

import contextlib
import errno
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import simengine.scenario.nuplan.convert as conversion
import simengine.scenario.nuplan.converter as converter
from nuplan_log_factories import die, sweep_token
from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.convert import convert_nuplan
from simengine.scenario.splits import load_index

TOKENS = [sweep_token(k) for k in (40, 60, 80, 100)]


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def convert(options, target, **changes):
    return convert_nuplan(options, target, progress=False, **changes)


def test_workers_do_not_change_the_files(town_options, tmp_path):
    convert(town_options, tmp_path / "one")
    convert(town_options, tmp_path / "two", workers=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_a_worker_that_dies_is_one_sentence_and_the_rest_is_kept(town_options, tmp_path, monkeypatch):
    fill_disk_after(monkeypatch, 2)
    with pytest.raises(ScenarioFormatError):
        convert(town_options, tmp_path / "out")
    monkeypatch.undo()

    class Dying:
        start, run = converter.ConverterProcess.start, die

    monkeypatch.setattr(conversion, "ConverterProcess", Dying)
    with pytest.raises(
        ScenarioFormatError, match=r"a worker process died .*kept in .*\.out\.part.*run the same command"
    ):
        convert(town_options, tmp_path / "out", workers=2)
    assert len(finished(tmp_path / ".out.part")) == 2


def children(pid: int) -> list[int]:
    """Return the processes that `pid` started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def running(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_conversion_leaves_no_workers_and_is_taken_up_again(town_options, tmp_path):
    convert(town_options, tmp_path / "whole")
    program = tmp_path / "program.py"
    program.write_text(
        "import pickle, sys\nfrom pathlib import Path\n"
        "from simengine.scenario.nuplan.convert import convert_nuplan\n"
        "if __name__ == '__main__':\n"
        "    options = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "    convert_nuplan(options, Path(sys.argv[2]), workers=2, progress=False)\n"
    )
    (tmp_path / "options.pkl").write_bytes(pickle.dumps(town_options))
    parent = subprocess.Popen([sys.executable, program, tmp_path / "options.pkl", tmp_path / "out"])
    deadline = time.monotonic() + 240
    workers: list[int] = []
    while len(workers) < 3 and parent.poll() is None and time.monotonic() < deadline:
        workers = children(parent.pid)  # Two workers, and the tracker of spawned processes.
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    assert len(workers) >= 2
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in workers if running(pid)]
    stray = tmp_path / ".out.part" / "maps" / ".half.npz.1.tmp"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"half")
    convert(town_options, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def fill_disk_after(monkeypatch, scenarios: int) -> None:
    """Let the disk be full once so many scenarios are written."""
    written = []
    write = Path.write_bytes

    def write_bytes(self: Path, content: bytes) -> int:
        if self.parent.name == "entries":
            written.append(self)
        elif len(written) >= scenarios:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


def finished(part: Path) -> list[str]:
    return sorted(path.stem for path in (part / "entries").glob("*.json"))


def test_a_full_disk_keeps_what_was_done_and_the_next_run_goes_on(town_options, tmp_path, monkeypatch):
    convert(town_options, tmp_path / "whole")
    with monkeypatch.context() as patch:
        fill_disk_after(patch, 2)
        with pytest.raises(
            ScenarioFormatError, match=r"No space left on device.*2 finished scenarios are kept"
        ) as caught:
            convert(town_options, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    part = tmp_path / ".out.part"
    assert finished(part) == TOKENS[:2]
    assert not [path for path in part.rglob("*") if path.suffix == ".tmp"]
    built = []
    build = converter.build_scenario
    monkeypatch.setattr(
        converter, "build_scenario", lambda s, token, *rest: (built.append(token), build(s, token, *rest))[1]
    )
    report = convert(town_options, tmp_path / "out")
    assert (report.read, built) == (4, TOKENS[2:])
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert not part.exists()


def test_a_disk_that_is_full_from_the_start_leaves_nothing(town_options, tmp_path, monkeypatch):
    fill_disk_after(monkeypatch, 0)
    with pytest.raises(ScenarioFormatError, match="0 finished scenarios"):
        convert(town_options, tmp_path / "out")
    assert not (tmp_path / ".out.part").exists() and not (tmp_path / "out").exists()


def test_a_full_disk_at_the_index_loses_no_scenario(town_options, tmp_path, monkeypatch):
    write = Path.write_bytes

    def write_bytes(self: Path, content: bytes) -> int:
        if "index.json" in self.name:
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        with pytest.raises(ScenarioFormatError, match="4 finished scenarios"):
            convert(town_options, tmp_path / "out")
    monkeypatch.setattr(converter, "build_scenario", None)  # Nothing is left to build.
    assert convert(town_options, tmp_path / "out").read == 4


def test_an_interrupt_is_taken_up_again(town_options, tmp_path, monkeypatch):
    build = converter.build_scenario

    def interrupted(sources, token, *rest):
        if token == TOKENS[2]:
            raise KeyboardInterrupt
        return build(sources, token, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(converter, "build_scenario", interrupted)
        with pytest.raises(KeyboardInterrupt):
            convert(town_options, tmp_path / "out")
    assert finished(tmp_path / ".out.part") == TOKENS[:2]
    assert convert(town_options, tmp_path / "out").read == 4


def test_a_damaged_entry_is_made_again(town_options, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk_after(patch, 3)
        with pytest.raises(ScenarioFormatError):
            convert(town_options, tmp_path / "out")
    part = tmp_path / ".out.part"
    (part / "entries" / f"{TOKENS[0]}.json").write_text("{")
    (part / f"{TOKENS[1]}.npz").unlink()
    convert(town_options, tmp_path / "out")
    load_index(tmp_path / "out").verify()


def test_an_unfinished_conversion_with_other_options_is_not_mixed_in(town_options, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk_after(patch, 2)
        with pytest.raises(ScenarioFormatError):
            convert(town_options, tmp_path / "out")
    other = replace(town_options, sample_interval=5)
    with pytest.raises(ScenarioFormatError, match=r"unfinished conversion with other options.*plan\.json"):
        convert(other, tmp_path / "out")
    assert finished(tmp_path / ".out.part") == TOKENS[:2]
    convert(other, tmp_path / "out", overwrite=True)
    assert {entry.dt for entry in load_index(tmp_path / "out").entries} == {0.25}


def test_an_existing_split_is_kept_unless_asked(town_options, tmp_path):
    convert(town_options, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(ScenarioFormatError, match="exists"):
        convert(replace(town_options, sample_interval=5), tmp_path / "out")
    assert tree(tmp_path / "out") == before
    convert(replace(town_options, sample_interval=5), tmp_path / "out", overwrite=True)
    assert tree(tmp_path / "out") != before
