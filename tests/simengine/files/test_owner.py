import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from simengine.errors import ConfigError
from simengine.files.owner import sole_owner

HOLD = """
import os, sys, time
from pathlib import Path
from simengine.files.owner import sole_owner
with sole_owner(Path(sys.argv[1])):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(600)
"""


def is_free(folder) -> bool:
    try:
        with sole_owner(folder):
            return True
    except ConfigError as error:
        assert "another process works in" in str(error) and str(folder) in str(error)
        return False


def test_a_folder_has_one_owner_until_that_dies_whatever_becomes_of_its_children(tmp_path):
    owner = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    child = int(owner.stdout.readline())
    try:
        assert not is_free(tmp_path)
        owner.kill()
        owner.wait()
        os.kill(child, 0)  # lives on, as loaders of a killed training do for a while
        assert is_free(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        owner.stdout.close()


def test_it_is_free_after_the_context_and_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="broken"), sole_owner(tmp_path):
        raise ValueError("broken")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(is_free, (tmp_path,))
