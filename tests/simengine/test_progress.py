import io

import pytest
from rich.console import Console

from simengine import progress


@pytest.fixture
def written(monkeypatch):
    """Give a function that replaces standard error by a terminal or a file, and returns what is written there."""

    def replace(terminal: bool) -> io.StringIO:
        file = io.StringIO()
        monkeypatch.setattr(progress, "Console", lambda **_: Console(file=file, force_terminal=terminal))
        return file

    return replace


@pytest.mark.parametrize(("total", "lines"), [(40, 10), (7, 7), (None, 0)])
def test_a_file_gets_ten_lines_at_most(written, total, lines):
    file = written(terminal=False)
    with progress.progress_bar("scoring", total) as step:
        for _ in range(total or 5):
            step()
    found = file.getvalue().splitlines()
    assert len(found) == lines
    assert not total or found[-1] == f"scoring {total}/{total}"


def test_a_terminal_gets_a_bar_and_no_lines(written):
    file = written(terminal=True)
    with progress.progress_bar("scoring", 4) as step:
        for _ in range(4):
            step()
    assert "━" in file.getvalue() and "4/4" in file.getvalue()
    assert "scoring 2/4\n" not in file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_all_processes_but_one_are_silent(written, terminal):
    file = written(terminal)
    with progress.progress_bar("scoring", 4, shown=False) as step:
        step()
    assert file.getvalue() == ""
