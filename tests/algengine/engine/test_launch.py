import subprocess
import sys

import pytest

TWO = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2", "--no-python"]


KILLED = f"exec {sys.executable} -c 'import os; os.kill(os.getpid(), 9)'"


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("echo why >&2; exit 3", 3), (KILLED, 137)])
def test_what_failed_says_why_and_nothing_else_does(script, code):
    command = [sys.executable, "-m", "algengine.engine.launch", *TWO, "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr and ("why" in done.stderr) == (code == 3)
