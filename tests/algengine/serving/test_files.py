"""`algengine serve --transport files`: a planner behind the original's protocol."""

import threading

import numpy as np
import pytest

from bridge_factories import PATIENCE, MemoryPlanner
from files_reference import ReferenceSimulator

pytestmark = pytest.mark.mm


@pytest.mark.parametrize("clean", [False, True])
def test_a_foreign_simulator_is_driven_until_its_flag(clean, tmp_path):
    from algengine.serving.files import serve_files

    planner = MemoryPlanner()
    simulator = ReferenceSimulator(tmp_path, ["aaaa"])
    serving = threading.Thread(target=serve_files, args=(planner, tmp_path, clean))
    serving.start()
    simulator.start()
    simulator.join(PATIENCE)
    serving.join(PATIENCE)
    assert not serving.is_alive()
    assert simulator.error is None
    assert np.isfinite(simulator.plans["aaaa"]).all()
    assert planner.batches == [["aaaa"]] * 9
    assert len(list((tmp_path / "plan_traj").glob("*.npy"))) == (0 if clean else 9)
