"""What ends in one sentence at the command line, and what stays a traceback."""

from __future__ import annotations

import errno
from pathlib import Path
from types import ModuleType

import pytest

from simengine.entry import run_command
from simengine.files.atomic import write_atomically


def run(execute, resume: str | None = None) -> int:
    verb = ModuleType("verb", "Do something.")
    verb.EXAMPLE = ""
    if resume is not None:
        verb.RESUME = resume
    verb.add_arguments = lambda parser: None
    verb.execute = lambda arguments: execute()
    return run_command("prog", "Prog.", "0", {"verb": verb}, ["verb"])


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "below" / "out.json"
    assert run(lambda: write_atomically(target, b"x")) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.startswith(f"prog verb: {target} cannot be read or written (")


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(self: Path, content: bytes) -> None:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")  # as `write` does: without a name

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as raised:
        write_atomically(tmp_path / "out.json", b"x")
    assert raised.value.filename == str(tmp_path / "out.json")
    assert not list(tmp_path.iterdir())


def test_an_error_without_a_file_is_a_bug():
    def fail() -> int:
        raise OSError("sockets broke")

    with pytest.raises(OSError, match="sockets"):
        run(fail)


@pytest.mark.parametrize(
    ("how", "said"),
    [(None, "interrupted\n"), ("run it again to resume", "interrupted; run it again to resume\n")],
)
def test_ctrl_c_promises_to_resume_only_where_the_verb_can(how, said, capsys: pytest.CaptureFixture):
    def stop() -> int:
        raise KeyboardInterrupt

    assert run(stop, how) == 130
    assert capsys.readouterr().err == f"prog verb: {said}"
