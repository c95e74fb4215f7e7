"""Frames of a rollout: all twelve, linked, with images and rows, and what a log says about them."""

import errno
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from export_factories import BusyHandle, contents, drive, make_worker
from rewards_factories import busy_scenario
from simengine.agents.simple import BrakePolicy
from simengine.datatypes.plan import Plan
from simengine.datatypes.record_io import load_record
from simengine.export.layout import openscene_of
from simengine.export.logged import with_logged
from simengine.export.plan_index import nearest_plan, read_plan_index
from simengine.files.atomic import write_atomically
from simengine.rewards.vocabulary import Vocabulary
from simengine.scenario.io import save_scenario
from simengine.scenario.nuplan.frames import save_frames
from simengine.scenario.splits import ScenarioHandle
from simengine.sim.protocol import WORLDENGINE_V1
from simengine.sim.worldengine import PlanAsDriven


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    drive(root, ["token_0"], policy=BrakePolicy)
    return root


def frames_of(root):
    path = openscene_of(root).meta("log-1-token_0")
    return pickle.loads(path.read_bytes())


def test_twelve_frames_linked_in_order(run):
    frames = frames_of(run)
    tokens = [frame["token"] for frame in frames]
    assert [frame["frame_idx"] for frame in frames] == list(range(12))
    assert len(set(tokens)) == 12
    assert [frame["sample_prev"] for frame in frames] == [None, *tokens[:-1]]
    assert [frame["sample_next"] for frame in frames] == [*tokens[1:], None]
    assert (
        {frame["log_name"] for frame in frames}
        == {frame["scene_name"] for frame in frames}
        == {"log-1-token_0"}
    )
    assert (
        {frame["scene_token"] for frame in frames} == {frame["log_token"] for frame in frames} == {"token-0"}
    )
    assert np.diff([frame["timestamp"] for frame in frames]).tolist() == [500_000] * 11


def test_poses_are_those_that_were_driven(run):
    record = load_record(run / "records" / "token_0.npz")
    driven = np.stack([frame["ego2global"][:2, 3] for frame in frames_of(run)])
    scenario = busy_scenario("token_0")
    assert driven[:3] == pytest.approx(scenario.ego.pose[[0, 5, 10], :2])
    assert driven[3:] == pytest.approx(record.ego_states[::5, :2])
    # It brakes; a log replay would not.
    assert driven[11, 0] < scenario.ego.pose[55, 0] - 5.0


def test_every_frame_has_the_images_of_its_moment(run):
    blobs = openscene_of(run).sensor_blobs
    for frame in frames_of(run):
        assert len(frame["cams"]) == 8
        for name, camera in frame["cams"].items():
            assert camera["data_path"] == f"token-0/{name}/token-0-{frame['frame_idx']:02d}-000.jpg"
            image = np.asarray(Image.open(blobs / camera["data_path"]))
            # The grey of the renderer tells the frame, every fifth of which is one of ours.
            assert image.shape == (18, 32, 3) and abs(int(image.mean()) - 10 * frame["frame_idx"]) <= 1
    assert len(list(blobs.rglob("*.jpg"))) == 12 * 8


def test_a_row_for_every_frame_the_original_asks_about(run):
    folder = openscene_of(run)
    rows = read_plan_index(folder.plan_index)
    assert [key for key in rows] == sorted(("token-0", step) for step in range(4, 13))
    assert folder.plan_index.read_bytes() == (folder.pdms_pkl / "plan_idx.csv").read_bytes()


def test_worldengine_frames_have_nine_rewards(tmp_path):
    folder = drive(
        tmp_path, ["token_0"], protocol=WORLDENGINE_V1, tracker=PlanAsDriven(), mode="worldengine_v1"
    )
    steps = sorted(int(path.name.split("_step_")[1].split("_")[0]) for path in folder.pdms_pkl.glob("*.pkl"))
    assert steps == list(range(3, 12))
    assert len(pickle.loads(folder.meta("log-1-token_0").read_bytes())) == 12


def test_without_a_vocabulary_there_are_no_rows(tmp_path):
    folder = drive(tmp_path, ["token_0"], rewards=False, vocabulary=None)
    assert not folder.plan_index.exists()


def test_a_scenario_that_breaks_leaves_nothing(tmp_path):
    drive(tmp_path, ["token_0"])
    folder = openscene_of(tmp_path)
    before = folder.meta("log-1-token_0").read_bytes()
    worker = make_worker(tmp_path, policy=lambda scenario: Dying(scenario, 5))
    assert worker.run(BusyHandle("token_1")).status == "failed"
    assert not (folder.sensor_blobs / "token-1").exists() and not folder.meta("log-1-token_1").exists()
    # Driven again, and broken: what an earlier attempt left is no result of this one.
    assert worker.run(BusyHandle("token_0")).status == "failed"
    assert not folder.meta("log-1-token_0").exists()
    drive(tmp_path, ["token_0"])
    assert folder.meta("log-1-token_0").read_bytes() == before


@pytest.mark.parametrize("writes", [0, 50, 96, 97])
def test_a_full_disk_leaves_no_half_scenario(tmp_path, monkeypatch, writes):
    """96 images, then rows, then frames: whichever write fails, there are no frames, and driving again makes all."""
    left = [writes]

    def filling(path, content):
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write_atomically(path, content)

    worker, folder = make_worker(tmp_path, rewards=False), openscene_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("simengine.export.openscene.write_atomically", filling)
        assert "No space left" in worker.run(BusyHandle("token_0")).error
    assert not folder.meta("log-1-token_0").exists()
    assert worker.run(BusyHandle("token_0")).error == ""
    assert len(frames_of(tmp_path)) == 12


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path):
    """Ctrl-C in the second scenario; then the same command again."""
    drive(tmp_path / "undisturbed", ["token_0", "token_1"])
    worker = make_worker(tmp_path / "run", policy=lambda scenario: Dying(scenario, 3, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        worker.run(BusyHandle("token_1"))
    assert not openscene_of(tmp_path / "run").root.exists()
    drive(tmp_path / "run", ["token_0", "token_1"])
    assert contents(tmp_path / "run") == contents(tmp_path / "undisturbed")


class Dying(BrakePolicy):
    def __init__(self, scenario, calls, error=RuntimeError):
        super().__init__(scenario)
        self.left, self.error = calls, error

    def plan(self, observation, state):
        self.left -= 1
        if not self.left:
            raise self.error
        return super().plan(observation, state)


def test_names_and_keys_of_the_log_are_passed_on(tmp_path):
    tokens = [f"{k:016x}" for k in range(24)]
    scenario = replace(busy_scenario("token_0"), tags={"frame_tokens": tokens})
    path = save_scenario(scenario, tmp_path / "split" / "token_0.npz")
    openscene = {
        "vehicle_name": "veh-35",
        "can_bus": list(range(18)),
        "cams": {"CAM_F0": {"data_path": "2021.05.12/CAM_F0/abcdef.jpg"}},
    }
    facts = [{"token": token, "openscene": openscene if k == 3 else None} for k, token in enumerate(tokens)]
    save_frames(tmp_path / "split", "token_0", {"frames": facts})
    run = tmp_path / "run"
    assert make_worker(run, rewards=False).run(ScenarioHandle("token_0", path)).error == ""
    frames = frames_of(run)
    assert [frame["token"] for frame in frames] == [f"{token}-000" for token in tokens[:12]]
    named = frames[3]
    assert named["vehicle_name"] == "veh-35" and frames[4]["vehicle_name"] == ""
    assert named["cams"]["CAM_F0"]["data_path"] == "token-0/CAM_F0/abcdef-000.jpg"
    assert (openscene_of(run).sensor_blobs / "token-0/CAM_F0/abcdef-000.jpg").is_file()
    assert named["can_bus"][[9, 12, 13, 14, 16, 17]].tolist() == [9, 12, 13, 14, 16, 17]
    assert named["can_bus"][10] == pytest.approx(8.0)


def test_a_frame_without_a_log_is_the_same_object():
    frame = {"can_bus": np.zeros(18)}
    assert with_logged(frame, None, "000") is frame


def test_nearest_plan_is_the_brute_force_one():
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary(np.cumsum(rng.uniform(0, 0.5, (30, 40, 3)), axis=1))
    for row in range(30):
        assert nearest_plan(vocabulary, Plan(vocabulary.plans[row], 0.1)) == row
        # Half the rate: every second pose, in between on straight lines.
        assert nearest_plan(vocabulary, Plan(vocabulary.plans[row, 1::2], 0.2)) == row
    plan = Plan(np.cumsum(rng.uniform(0, 0.5, (25, 3)), axis=0), 0.1)
    costs = [
        sum(((entry[k, :2] - plan.poses[k, :2]) ** 2).sum() for k in range(25)) for entry in vocabulary.plans
    ]
    assert nearest_plan(vocabulary, plan) == int(np.argmin(costs))
