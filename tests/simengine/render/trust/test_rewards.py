"""Rewards know which decisions were made from images that cannot be trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from export_factories import VOCABULARY, BusyHandle
from simengine.agents.simple import LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.datatypes.record_io import load_record
from simengine.datatypes.trust import RenderTrust
from simengine.dynamics.tracking import PerfectTracking
from simengine.errors import ScenarioFormatError
from simengine.files.arrays import read_arrays, write_arrays
from simengine.rewards.reward_file import FORMAT, FORMAT_VERSION, open_rewards
from simengine.rewards.scorer import VocabularyScorer
from simengine.runner.rewards import RewardRecorder
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import NAVSIM


class FrameTrust:
    """Trust that falls by a tenth with every decision."""

    def start(self, scenario, cameras):
        self.frames = []
        return self

    def add(self, ego_pose, agents, frame_time):
        self.frames.append(frame_time)

    def finish(self):
        score = 1.0 - 0.1 * np.arange(len(self.frames), dtype=np.float32)[:, None]
        return RenderTrust(("CAM_F0",), *np.repeat(score[None], 5, axis=0))


def drive(root, trust):
    simulation = Simulation(NAVSIM, PerfectTracking(), LogReplay)
    recorder = RewardRecorder(VocabularyScorer(VOCABULARY, "navsim_v1", 1), PerfectTracking())
    source = PolicySource(lambda scenario, _: LogReplayPolicy(scenario))
    settings = WorkerSettings(0, "NR", "navsim_v1")
    row = Worker(simulation, source, RunDirectory(root), settings, recorder, trust=trust).run(
        BusyHandle("a1")
    )
    assert row.error == ""
    return open_rewards(RunDirectory(root).rewards("a1"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    roots = {name: tmp_path_factory.mktemp(name) for name in ("measured", "plain")}
    meter = FrameTrust()
    return roots, drive(roots["measured"], meter), drive(roots["plain"], None), meter


def test_each_decision_has_a_weight_and_a_mask(files):
    roots, measured, plain, meter = files
    assert meter.frames == list(range(15, 55, 5))
    np.testing.assert_allclose(measured.trust, 1.0 - 0.1 * np.arange(8), atol=1e-6)
    np.testing.assert_array_equal(measured.trusted(0.55), [True] * 5 + [False] * 3)
    assert np.isnan(plain.trust).all() and plain.trusted(0.55).all()
    # Nothing else of the rewards changes.
    assert measured.header["content"] == plain.header["content"]
    record = load_record(RunDirectory(roots["measured"]).record("a1"))
    np.testing.assert_allclose(record.trust.lowest, measured.trust, atol=1e-6)


def test_a_file_whose_trust_does_not_fit_is_refused(files, tmp_path):
    header, arrays = read_arrays(files[1].path, FORMAT, FORMAT_VERSION)
    header = json.loads(json.dumps(header)) | {"trust": [1.0]}
    write_arrays(tmp_path / "bad.npz", header, arrays, compress=False)
    with pytest.raises(ScenarioFormatError, match="trust does not fit 8 steps"):
        open_rewards(tmp_path / "bad.npz")
