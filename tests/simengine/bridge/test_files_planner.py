"""Our planners paired with a simulator written from the protocol's description alone, and with our own."""

import csv
import io
import os
import pickle
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from bridge_factories import PATIENCE, MemoryPlanner, wait_until
from files_factories import busy_scenario, make_client, make_files_worker
from files_reference import FRAMES_PER_SCENE, ReferenceSimulator, make_frame
from simengine.bridge.files.folder import RunFolder
from simengine.bridge.files.server import FilesServer, FilesServerSettings
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.errors import BridgeError, PlannerTimeoutError, RemotePlannerError
from simengine.scenario.restricted_pickle import load_pickle


def decode(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


class CurvePlanner:
    """Drives on with the speed it sees in a slight bend, and keeps what it was told."""

    name = "curve"

    def __init__(self) -> None:
        self.told: list[Observation] = []
        self.forgotten: list[str] = []

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        self.told += observations
        plans = []
        for observation in observations:
            t = 0.1 * np.arange(1, 41)
            speed = observation.velocity_history[-1, 0]
            yaw = speed * 0.02 * t
            poses = np.stack([np.sin(yaw) / 0.02, (1 - np.cos(yaw)) / 0.02, yaw], 1)
            plans.append(Plan(poses, 0.1, vocabulary_index=observation.step + 100))
        return plans

    def forget(self, token: str) -> None:
        self.forgotten.append(token)


@contextmanager
def running(server: FilesServer):
    """Run a server in a thread; what it raises is in the list that is given out."""
    raised: list[BaseException] = []
    stop = threading.Event()

    def serve():
        try:
            server.serve(stop)
        except BridgeError as error:
            raised.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield raised
    finally:
        thread.join(PATIENCE)
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def make_server(run, planner, **changes) -> FilesServer:
    settings = FilesServerSettings(poll=0.005, **({"idle_timeout": PATIENCE} | changes))
    return FilesServer(planner, RunFolder(run), load_pickle, decode, settings)


def drive(run, planner, tokens=("aaaa", "bbbb-001"), pause=0.0, **changes):
    simulator = ReferenceSimulator(run, list(tokens), in_place_pause=pause)
    with running(make_server(run, planner, **changes)) as raised:
        simulator.start()
        simulator.join(PATIENCE)
    assert simulator.error is None
    assert raised == []
    return simulator


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_every_scene_is_driven_to_its_end(pause, tmp_path):
    planner = CurvePlanner()
    simulator = drive(tmp_path, planner, pause=pause)
    for token in ("aaaa", "bbbb-001"):
        plans = simulator.plans[token]
        assert [plan.shape for plan in plans] == [(40, 3)] * 8
        assert {plan.dtype for plan in plans} == {np.dtype(np.float32)}
        steps = [o.step for o in planner.told if o.token == token]
        assert steps == list(range(9))  # the last frame is answered too, though nobody waits
        assert (tmp_path / "plan_traj" / f"{token}_12.npy").exists()
    assert planner.forgotten == ["aaaa", "bbbb-001"]
    with open(tmp_path / "plan_traj" / "plan_idx.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["prefix", "step", "plan_idx"]
    assert rows[1:10] == [["aaaa", str(4 + k), str(100 + k)] for k in range(9)]
    assert len(rows) == 19
    assert not list((tmp_path / "plan_traj").glob("*_tmp.npy"))


def test_observations_say_what_the_frames_say(tmp_path):
    planner = CurvePlanner()
    simulator = drive(tmp_path, planner, tokens=["aaaa"])
    poses = np.array(simulator.poses["aaaa"])
    for k, o in enumerate(planner.told):
        now = poses[k + 3]
        assert o.timestamp_us == 1_620_000_000_000_000 + 500_000 * (k + 3)
        assert o.history_dt == 0.5
        assert o.history_valid.tolist() == [True] * 4
        # The world frame of a rollout starts at the ego in its first frame.
        np.testing.assert_allclose(o.ego_pose[:2], now[:2] - poses[0, :2], atol=1e-6)
        np.testing.assert_allclose(o.ego_pose[2], now[2], atol=1e-9)
        for past, seen in zip(poses[k : k + 4], o.ego_history, strict=True):
            c, s = np.cos(now[2]), np.sin(now[2])
            dx, dy = past[:2] - now[:2]
            np.testing.assert_allclose(seen, [c * dx + s * dy, c * dy - s * dx, past[2] - now[2]], atol=1e-6)
        # Simulated frames carry the velocity of the box centre, 1.461 m ahead of the axle, turning at 0.1 rad/s.
        simulated = np.arange(k, k + 4) > 3
        np.testing.assert_allclose(o.velocity_history[:, 0], 8.0)
        np.testing.assert_allclose(o.velocity_history[:, 1], np.where(simulated, -0.1461, 0.0))
        np.testing.assert_allclose(o.acceleration_history, [[0.25, -0.5]] * 4)
        assert o.command_history.tolist() == [1] * 4
        assert [*o.images] == ["CAM_F0", "CAM_L0"] == [camera.name for camera in o.cameras]
        assert o.images["CAM_F0"].shape == (36, 64, 3)
        assert abs(int(o.images["CAM_F0"].mean()) - 20 * (k + 3)) <= 1
        assert (o.cameras[1].width_px, o.cameras[1].height_px) == (64, 36)
        np.testing.assert_allclose(o.cameras[1].ego_from_cam[:3, 3], [1.67, 0.1, 1.52 + AXLE_HEIGHT])


def test_our_simulator_and_our_planner_meet_in_a_folder(tmp_path):
    direct, remote = CurvePlanner(), CurvePlanner()
    client = make_client(tmp_path)
    worker = make_files_worker(tmp_path, client, tmp_path / "out")

    class Handle:
        token = "straight"

        def load(self):
            return busy_scenario()

    with running(make_server(tmp_path, remote)) as raised:
        row = worker.run(Handle())
        worker.close()
    assert row.status == "ok", row.error
    assert raised == []
    simulation = worker._simulation
    state = simulation.reset(busy_scenario())
    for told in remote.told[:8]:
        expected = simulation.observe(state)
        (plan,) = direct.plan_batch([expected])
        assert (told.token, told.step, told.timestamp_us) == (
            "straight",
            expected.step,
            expected.timestamp_us,
        )
        for name in ("ego_history", "velocity_history", "command_history", "history_valid"):
            np.testing.assert_allclose(getattr(told, name), getattr(expected, name), atol=1e-4, err_msg=name)
        for ours, theirs in zip(told.cameras, expected.cameras, strict=True):
            np.testing.assert_allclose(ours.ego_from_cam, theirs.ego_from_cam, atol=1e-12)
            np.testing.assert_allclose(ours.intrinsic, theirs.intrinsic)
        for name, image in expected.images.items():
            assert np.abs(told.images[name].astype(int) - image).max() <= 2
        state = simulation.step(state, Plan(plan.poses.astype(np.float32), 0.1))


def test_two_simulated_scenes_at_once_share_a_batch(tmp_path):
    planner = MemoryPlanner()
    for token in ("aaaa", "bbbb"):
        for step in range(4):
            write_frame(tmp_path, token, step)
    RunFolder(tmp_path).flag.touch()
    make_server(tmp_path, planner).serve()
    assert [sorted(batch) for batch in planner.batches] == [["aaaa", "bbbb"]]


def write_frame(run, token, step):
    frame = make_frame(token, step, np.array([10.0 * step, 0.0, 0.0]), 8.0, 1)
    for cam in frame["cams"].values():
        path = run / "WE_output" / "openscene_format" / "sensor_blobs" / cam["data_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((36, 64, 3), np.uint8)).save(path)
    path = run / "frames" / f"{token}_{step}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(frame))
    return path


def test_a_scene_that_is_started_again_is_driven_afresh(tmp_path):
    planner = CurvePlanner()
    drive(tmp_path, planner, tokens=["aaaa"])
    RunFolder(tmp_path).flag.unlink()
    for path in [*(tmp_path / "frames").iterdir(), *(tmp_path / "plan_traj").glob("*.npy")]:
        path.unlink()
    simulator = ReferenceSimulator(tmp_path, ["aaaa", "aaaa"])
    original = simulator.scene

    def scene(token):
        for path in (tmp_path / "plan_traj").glob("*.npy"):
            path.unlink()
        for path in (tmp_path / "frames").glob("*.pkl"):
            path.unlink()
        original(token)
        wait_until((tmp_path / "plan_traj" / f"{token}_12.npy").exists)

    simulator.scene = scene
    with running(make_server(tmp_path, planner)) as raised:
        simulator.start()
        simulator.join(PATIENCE)
    assert simulator.error is None
    assert raised == []
    assert [o.step for o in planner.told] == list(range(9)) * 3
    with open(tmp_path / "plan_traj" / "plan_idx.csv", newline="") as file:
        assert len(list(csv.reader(file))) == 10  # rows are replaced, not doubled


def test_a_frame_that_is_still_being_written_when_its_scene_is_found_is_not_a_second_scene(tmp_path):
    planner = CurvePlanner()
    for step in range(4):
        write_frame(tmp_path, "aaaa", step)
    RunFolder(tmp_path).flag.touch()
    found = []

    def load(path):
        if not found:  # its writer closes it only now
            os.utime(path, ns=(1, 1))
        found.append(path)
        return load_pickle(path)

    FilesServer(planner, RunFolder(tmp_path), load, decode, FilesServerSettings(poll=0.005)).serve()
    assert [o.step for o in planner.told] == [0]
    assert len(found) == 4


def test_cleaning_leaves_the_table_of_indices(tmp_path):
    drive(tmp_path, CurvePlanner(), tokens=["aaaa"], clean=True)
    assert [path.name for path in (tmp_path / "plan_traj").iterdir()] == ["plan_idx.csv"]
    assert list((tmp_path / "frames").iterdir()) == []


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_pickle_that_asks_for_more_than_data_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("simengine.bridge.files.scene_queue._SETTLE_S", 0.05)
    for step in range(4):
        write_frame(tmp_path, "good", step)
    path = write_frame(tmp_path, "evil", 0)
    path.write_bytes(pickle.dumps(Harmful()))
    RunFolder(tmp_path).flag.parent.mkdir(parents=True, exist_ok=True)
    planner = CurvePlanner()
    with running(make_server(tmp_path, planner)) as raised:
        wait_until((tmp_path / "plan_traj" / "good_4.npy").exists)
        wait_until(lambda: planner.forgotten == ["evil"])
        RunFolder(tmp_path).flag.touch()
    assert not (tmp_path / "harm").exists()
    assert [o.token for o in planner.told] == ["good"]
    assert isinstance(raised[0], RemotePlannerError)
    assert "posix.mkdir" in str(raised[0]) or "os.mkdir" in str(raised[0])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run, path: path.write_bytes(path.read_bytes()[:300]), "not a readable pickle"),
        (lambda run, path: path.write_bytes(pickle.dumps([1, 2])), "holds no frame"),
        (lambda run, path: rewrite(path, "can_bus"), "KeyError: 'can_bus'"),
        (lambda run, path: next(run.rglob("CAM_L0/*3-000.jpg")).unlink(), "No such file"),
        (lambda run, path: next(run.rglob("CAM_L0/*3-000.jpg")).write_bytes(b"?"), "cannot identify image"),
    ],
)
def test_a_malformed_scene_is_given_up_and_named(spoil, said, tmp_path, monkeypatch):
    monkeypatch.setattr("simengine.bridge.files.scene_queue._SETTLE_S", 0.05)
    paths = [write_frame(tmp_path, "aaaa", step) for step in range(4)]
    spoil(tmp_path, paths[-1])
    planner = CurvePlanner()
    with running(make_server(tmp_path, planner)) as raised:
        wait_until(lambda: planner.forgotten == ["aaaa"])
        RunFolder(tmp_path).flag.touch()
    assert planner.told == []
    assert "aaaa" in str(raised[0])
    assert said in str(raised[0])


def rewrite(path, key):
    frame = pickle.loads(path.read_bytes())
    del frame[key]
    path.write_bytes(pickle.dumps(frame))


def test_a_planner_that_fails_loses_that_scene_only(tmp_path):
    planner = MemoryPlanner()
    for token in ("bad", "good"):
        for step in range(4):
            write_frame(tmp_path, token, step)
    RunFolder(tmp_path).flag.touch()
    with pytest.raises(RemotePlannerError, match="cannot plan for bad"):
        make_server(tmp_path, planner).serve()
    assert (tmp_path / "plan_traj" / "good_4.npy").exists()
    assert not (tmp_path / "plan_traj" / "bad_4.npy").exists()
    assert planner.forgotten[0] == "bad"


def test_plans_of_another_rate_are_not_sent(tmp_path):
    class Coarse(CurvePlanner):
        def plan_batch(self, observations):
            return [Plan(np.ones((8, 3)), 0.5) for _ in observations]

    for step in range(4):
        write_frame(tmp_path, "aaaa", step)
    RunFolder(tmp_path).flag.touch()
    with pytest.raises(RemotePlannerError, match="expected 0.1 s"):
        make_server(tmp_path, Coarse()).serve()


def test_silence_is_an_error_in_time(tmp_path):
    with pytest.raises(PlannerTimeoutError, match="no new frame"):
        make_server(tmp_path, CurvePlanner(), idle_timeout=0.05).serve()


def test_a_scene_that_goes_silent_is_forgotten(tmp_path):
    planner = CurvePlanner()
    for step in range(5):
        write_frame(tmp_path, "aaaa", step)
    with running(make_server(tmp_path, planner, scene_timeout=0.1)) as raised:
        wait_until((tmp_path / "plan_traj" / "aaaa_5.npy").exists)
        wait_until(lambda: planner.forgotten)
        RunFolder(tmp_path).flag.touch()
    assert planner.forgotten == ["aaaa"]
    assert raised == []


def test_other_files_in_the_folder_are_passed_over(tmp_path):
    folder = RunFolder(tmp_path)
    write_frame(tmp_path, "aaaa", FRAMES_PER_SCENE - 1)
    for name in ("notes.txt", ".aaaa_3.pkl.77.tmp", "aaaa.pkl", "a_b_7.pkl"):
        (folder.frames / name).touch()
    assert sorted(folder.waiting_frames()) == [("a_b", 7), ("aaaa", 11)]
