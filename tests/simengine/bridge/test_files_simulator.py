"""Our simulator paired with a planner written from the protocol's description alone."""

import csv
import itertools
import pickle
import pickletools
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

from bridge_factories import PATIENCE
from factories import make_scenario
from files_factories import busy_scenario, make_client, make_files_worker, make_vocabulary
from files_reference import FRAMES_PER_SCENE, ReferencePlanner
from simengine.bridge.files.folder import RunFolder
from simengine.datatypes.record_io import load_record
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.files.plain_pickle import plain_pickle
from simengine.render.rig import nuplan_rig
from simengine.scenario.restricted_pickle import load_pickle


@dataclass(frozen=True)
class Handle:
    token: str

    def load(self):
        return busy_scenario(self.token)


def choose(infos, images):
    """A choice that depends on everything the planner is given."""
    return int(infos[-1]["frame_idx"] + infos[-1]["command"] + images[-1].mean()) % 16


@pytest.fixture
def driven(tmp_path):
    """One scene driven over the folder: planner, row, record and run folder."""
    client = make_client(tmp_path, clean=False)
    planner = ReferencePlanner(tmp_path, make_vocabulary(), choose)
    planner.start()
    worker = make_files_worker(tmp_path, client, tmp_path / "out")
    row = worker.run(Handle("straight"))
    worker.close()
    planner.join(PATIENCE)
    assert planner.error is None
    assert row.status == "ok", row.error
    return planner, load_record(tmp_path / "out" / "records" / "straight.npz"), RunFolder(tmp_path)


def test_all_frames_are_written_and_all_plans_are_followed(driven):
    planner, record, folder = driven
    frames = planner.seen["straight"]
    assert [frame["frame_idx"] for frame in frames] == list(range(FRAMES_PER_SCENE))
    with folder.plan_index.open() as file:
        rows = list(csv.DictReader(file))
    # The planner also answers the last frame, which nobody reads.
    assert [(row["prefix"], int(row["step"])) for row in rows] == [
        ("straight", k) for k in range(4, FRAMES_PER_SCENE + 1)
    ]
    vocabulary = make_vocabulary()
    np.testing.assert_array_equal(
        record.plans, [vocabulary[int(row["plan_idx"])].astype(np.float64) for row in rows[:-1]]
    )
    # Perfect tracking: each frame lies where the plan before it said for 0.5 s later.
    for k, row in zip(range(3, 11), rows, strict=False):
        x, y, yaw = vocabulary[int(row["plan_idx"])][4].astype(float)
        expected = frames[k]["ego2global"] @ np.array([x, y, 0, 1])
        np.testing.assert_allclose(frames[k + 1]["ego2global"][:, 3], expected, atol=1e-6)
        now = frames[k]["ego2global"]
        turn = np.arctan2(*(now[:3, :3].T @ frames[k + 1]["ego2global"][:3, :3])[[1, 0], 0])
        assert turn == pytest.approx(yaw, abs=1e-9)
    assert folder.flag.read_bytes() == b""


def shapes(n: int) -> dict[str, tuple]:
    """Shape and dtype of the arrays of a frame, as the protocol's tables give them."""
    return {
        "can_bus": ((18,), "f8"),
        "ego2global": ((4, 4), "f8"),
        "ego2global_translation": ((3,), "f8"),
        "ego2global_rotation": ((4,), "f8"),
        "lidar2ego": ((4, 4), "f8"),
        "lidar2ego_translation": ((3,), "f8"),
        "lidar2ego_rotation": ((4,), "f8"),
        "lidar2global": ((4, 4), "f8"),
        "driving_command": ((4,), "i8"),
        "sdc_vel_global": ((3,), "f8"),
        "gt_sdc_bbox_lidar": ((9,), "f8"),
        "gt_velocity": ((n, 2), "f8"),
        "gt_boxes": ((n, 7), "f8"),
        "gt_bboxes_global": ((n, 9), "f8"),
        "gt_names": ((n,), "U"),
        "gt_inds": ((n,), "i8"),
        "num_lidar_pts": ((n,), "i8"),
        "valid_flag": ((n,), "b1"),
        "gt_pre_bbox_lidar": ((n, 3, 9), "f4"),
        "gt_pre_bbox_mask": ((n, 3, 1), "b1"),
        "gt_fut_bbox_lidar": ((n, 8, 9), "f4"),
        "gt_fut_bbox_mask": ((n, 8, 1), "b1"),
        "gt_pre_bbox_sdc_lidar": ((1, 3, 9), "f4"),
        "gt_pre_bbox_sdc_global": ((1, 3, 9), "f8"),
        "gt_pre_bbox_sdc_mask": ((1, 3, 1), "b1"),
        "gt_pre_command_sdc": ((1, 3, 1), "i8"),
        "gt_fut_bbox_sdc_lidar": ((1, 8, 9), "f4"),
        "gt_fut_bbox_sdc_global": ((1, 8, 9), "f8"),
        "gt_fut_bbox_sdc_mask": ((1, 8, 1), "b1"),
        "gt_fut_command_sdc": ((1, 8, 1), "i8"),
    }


OTHER_KEYS = {
    "token", "frame_idx", "timestamp", "log_name", "log_token", "scene_name", "scene_token", "map_location",
    "roadblock_ids", "vehicle_name", "lidar_path", "ego_dynamic_state", "traffic_lights", "cams", "sample_prev",
    "sample_next", "anns", "occ_gt_final_path", "flow_gt_final_path", "sweeps", "command",
}  # fmt: skip


@pytest.mark.parametrize("agents", ["some", "none"])
def test_keys_types_and_shapes_are_those_of_the_protocol(agents, driven, tmp_path):
    planner, _, _ = driven
    frames = planner.seen["straight"]
    if agents == "none":
        frames = drive_empty(tmp_path / "empty")
    for frame in frames:
        n = {"none": 0, "some": 1 + (frame["frame_idx"] >= 6)}[agents]  # it appears at frame 28 of 10 Hz
        expected = shapes(n)
        assert set(frame) == set(expected) | OTHER_KEYS
        for key, (shape, dtype) in expected.items():
            assert frame[key].shape == shape, key
            assert frame[key].dtype.str.lstrip("<|=").startswith(dtype), key
        assert type(frame["timestamp"]) is int
        assert type(frame["command"]) is int
        assert frame["sweeps"] == []
        assert all(frame[key] is None for key in ("lidar_path", "sample_prev", "sample_next"))
        assert frame["log_name"] == frame["scene_name"] == "log-straight"
        assert frame["log_token"] == frame["scene_token"] == "straight"
        assert frame["token"].endswith("-000")
        anns = frame["anns"]
        assert anns["gt_boxes"].shape == (n, 7)
        assert anns["gt_velocity_3d"].shape == (n, 3)
        assert anns["gt_names"].tolist() == ["vehicle"] * n
        assert anns["instance_tokens"] == anns["track_tokens"]
        assert isinstance(anns["track_tokens"], list)
        assert len(anns["track_tokens"]) == len(anns["original_track_tokens"]) == n
        assert [*frame["cams"]] == [
            "CAM_F0", "CAM_L0", "CAM_L1", "CAM_L2", "CAM_R0", "CAM_R1", "CAM_R2", "CAM_B0",
        ]  # fmt: skip


def drive_empty(run):
    client = make_client(run)
    planner = ReferencePlanner(run, make_vocabulary(), choose)
    planner.start()
    worker = make_files_worker(run, client, run / "out")

    class Empty:
        token = "straight"

        def load(self):
            return make_scenario()

    assert worker.run(Empty()).status == "ok"
    worker.close()
    planner.join(PATIENCE)
    assert planner.error is None
    return planner.seen["straight"]


def test_values_agree_with_each_other_as_the_protocol_says(driven):
    planner, _, _ = driven
    frames = planner.seen["straight"]
    for k, frame in enumerate(frames):
        e2g, l2e, bus = frame["ego2global"], frame["lidar2ego"], frame["can_bus"]
        np.testing.assert_allclose(frame["lidar2global"], e2g @ l2e)
        np.testing.assert_allclose(bus[:3], e2g[:3, 3])
        np.testing.assert_allclose(rotation(bus[3:7]), e2g[:3, :3], atol=1e-12)
        np.testing.assert_allclose(rotation(frame["lidar2ego_rotation"]), l2e[:3, :3], atol=1e-12)
        np.testing.assert_allclose(frame["ego_dynamic_state"], [*bus[10:12], *bus[7:9]])
        np.testing.assert_allclose(frame["sdc_vel_global"], e2g[:3, :3] @ bus[10:13])
        np.testing.assert_allclose(frame["gt_sdc_bbox_lidar"][:7], [0, 0, 0, 5.176, 2.297, 1.777, 0])
        assert frame["driving_command"].sum() == 1
        assert frame["command"] == frame["driving_command"].argmax()
        np.testing.assert_array_equal(frame["gt_inds"], np.arange(1, len(frame["gt_boxes"]) + 1))
        check_agents(frame)
        check_past(frame, frames[:k])
        for cam in frame["cams"].values():
            sensor2lidar = transform(cam["sensor2lidar_rotation"], cam["sensor2lidar_translation"])
            sensor2ego = transform(rotation(cam["sensor2ego_rotation"]), cam["sensor2ego_translation"])
            np.testing.assert_allclose(sensor2ego, l2e @ sensor2lidar, atol=1e-9)
            assert cam["data_path"] == f"straight/{cam['type']}/{frame['token']}.jpg"


def check_agents(frame):
    # busy_scenario: 30 m ahead of the log, which starts at x = 0 with 8 m/s; local x = global x - 331000.
    time_s = (frame["timestamp"] - 1_600_000_000_000_000) * 1e-6
    expected = np.array([331000.0 + 30.0 + 8.0 * time_s, 4690000.0, 0.0, 1.0])
    local = np.linalg.inv(frame["ego2global"]) @ expected
    np.testing.assert_allclose(frame["gt_boxes"][0, :3], local[:3], atol=1e-6)
    np.testing.assert_allclose(frame["gt_boxes"][0, 3:6], [4.6, 1.9, 1.6])
    c, s = frame["ego2global"][0, 0], frame["ego2global"][1, 0]
    np.testing.assert_allclose(frame["gt_velocity"][0], [8 * c, -8 * s], atol=1e-9)
    moved = frame["lidar2global"] @ np.array([*frame["gt_boxes"][0, :3], 1.0])
    np.testing.assert_allclose(frame["gt_bboxes_global"][0, :3], moved[:3])
    assert frame["valid_flag"].all()
    assert not frame["num_lidar_pts"].any()


def check_past(frame, earlier):
    mask = frame["gt_pre_bbox_sdc_mask"][0, :, 0]
    assert mask.tolist() == [len(earlier) >= 3, len(earlier) >= 2, len(earlier) >= 1]
    here = np.linalg.inv(frame["lidar2global"])
    for slot, past in zip((2, 1, 0), earlier[::-1], strict=False):
        origin = here @ past["lidar2global"][:, 3]
        box = frame["gt_pre_bbox_sdc_lidar"][0, slot]
        np.testing.assert_allclose(box[:3], origin[:3], atol=1e-5)
        np.testing.assert_allclose(box[3:6], [5.176, 2.297, 1.777], atol=1e-6)
        np.testing.assert_allclose(
            frame["gt_pre_bbox_sdc_global"][0, slot, :3], past["lidar2global"][:3, 3], atol=1e-9
        )
        assert frame["gt_pre_command_sdc"][0, slot, 0] == past["command"]
        # The car ahead is always the first row; the one that comes later has no past in its first frame.
        np.testing.assert_allclose(
            frame["gt_pre_bbox_lidar"][0, slot, :3],
            (here @ np.array([*past["gt_bboxes_global"][0, :3], 1.0]))[:3],
            atol=1e-4,
        )
        assert frame["gt_pre_bbox_mask"][0, slot, 0]
        if len(frame["gt_boxes"]) == 2:
            assert frame["gt_pre_bbox_mask"][1, slot, 0] == (len(past["gt_boxes"]) == 2)


def rotation(q):
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def transform(r, t):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = r, t
    return matrix


def test_motion_is_that_of_the_box_centre_over_half_a_second(driven):
    planner, _, _ = driven
    frames = planner.seen["straight"]
    np.testing.assert_allclose(frames[0]["can_bus"][[7, 8, 10, 11, 15]], [0, 0, 8, 0, 0], atol=1e-9)
    for before, frame in itertools.pairwise(frames):
        turned = frame["ego2global"][:2, :2].T @ before["ego2global"][:2, :2]
        change = (frame["can_bus"][10:12] - turned @ before["can_bus"][10:12]) / 0.5
        np.testing.assert_allclose(frame["can_bus"][7:9], change, atol=1e-9)


def test_cameras_are_mounted_where_the_nuplan_vehicle_has_them(driven):
    frame = driven[0].seen["straight"][5]
    front = frame["cams"]["CAM_F0"]
    np.testing.assert_allclose(front["sensor2lidar_translation"], [1.67, 0.0, 1.52], atol=1e-9)
    np.testing.assert_allclose(front["cam_intrinsic"], nuplan_rig(64, 36)[0].intrinsic)
    # A point straight ahead lies near the middle column and below the horizon is below the middle row.
    point = np.linalg.inv(
        transform(front["sensor2lidar_rotation"], front["sensor2lidar_translation"])
    ) @ np.array([20.0, 0.0, 0.0, 1.0])
    pixel = front["cam_intrinsic"] @ point[:3] / point[2]
    assert abs(pixel[0] - 32) < 1
    assert 18 < pixel[1] < 36


def test_pickles_name_only_what_old_numpy_knows_and_nothing_dangerous(driven):
    _, _, folder = driven
    paths = sorted(folder.frames.glob("*.pkl"))
    assert len(paths) == FRAMES_PER_SCENE
    for path in paths:
        content = path.read_bytes()
        names = {arg for op, arg, _ in pickletools.genops(content) if op.name in ("GLOBAL", "STACK_GLOBAL")}
        assert names <= {
            "numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype", "_codecs encode",
        }  # fmt: skip
        plain, checked = pickle.loads(content), load_pickle(path)
        assert plain.keys() == checked.keys()
        np.testing.assert_array_equal(plain["gt_boxes"], checked["gt_boxes"])


def test_what_is_not_plain_data_is_refused_before_it_is_written():
    with pytest.raises(ScenarioFormatError, match="ValueError"):
        plain_pickle({"a": np.zeros(2), "b": ValueError})
    # Bytes that look like a name inside an array are left alone.
    tricky = np.frombuffer(b"cnumpy._core.multiarray\n_reconstruct\n", np.uint8)
    assert pickle.loads(plain_pickle({"x": tricky}))["x"].tobytes() == tricky.tobytes()


def test_readers_never_see_half_a_frame(tmp_path):
    client = make_client(tmp_path)
    worker = make_files_worker(tmp_path, client, tmp_path / "out")
    planner = ReferencePlanner(tmp_path, make_vocabulary(), choose)
    stop, broken, read = threading.Event(), [], set()

    def look():
        ended = False
        while not ended:
            ended = stop.is_set()  # looked at first: there is one more look after the end
            for path in (tmp_path / "frames").glob("*.pkl"):
                try:
                    pickle.loads(path.read_bytes())
                    read.add(path.name)
                except FileNotFoundError:
                    pass
                except Exception as error:  # noqa: BLE001 - handed to the test
                    broken.append((path.name, error))

    watcher = threading.Thread(target=look)
    watcher.start()
    planner.start()
    rows = [worker.run(Handle(token)) for token in ("one", "two")]
    worker.close()
    stop.set()
    watcher.join()
    assert [row.status for row in rows] == ["ok", "ok"]
    assert broken == []
    assert len(read) > 5


def test_frames_are_deleted_once_the_planner_has_gone_on(tmp_path):
    client = make_client(tmp_path)
    worker = make_files_worker(tmp_path, client, tmp_path / "out")
    planner = ReferencePlanner(tmp_path, make_vocabulary(), choose)
    planner.start()
    for token in ("demo_0000", "demo_0001", "demo_0002"):
        assert worker.run(Handle(token)).status == "ok"
        assert len(list((tmp_path / "frames").glob("*.pkl"))) == FRAMES_PER_SCENE
    worker.close()
    planner.join(PATIENCE)
    assert planner.error is None
    # Underscores separate token and step in file names.
    assert [*planner.seen] == ["demo-0000", "demo-0001", "demo-0002"]
    plans = {path.name for path in (tmp_path / "plan_traj").glob("demo-0000_*.npy")}
    assert {f"demo-0000_{k}.npy" for k in range(4, 12)} <= plans


def test_what_an_earlier_run_left_does_not_mislead(tmp_path):
    folder = RunFolder(tmp_path)
    stale = np.full((40, 3), 99.0, np.float32)
    for path in (
        folder.flag,
        folder.frame("old", 0),
        folder.plan("straight", 4),
        folder.plan("straight-2", 4),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    np.save(folder.plan("straight", 4), stale)
    client = make_client(tmp_path)
    assert not folder.flag.exists()
    assert not folder.frame("old", 0).exists()
    planner = ReferencePlanner(tmp_path, make_vocabulary(), choose)
    planner.start()
    worker = make_files_worker(tmp_path, client, tmp_path / "out")
    assert worker.run(Handle("straight")).status == "ok"
    worker.close()
    assert load_record(tmp_path / "out" / "records" / "straight.npz").plans.max() < 50
    assert folder.plan("straight-2", 4).exists()


def test_a_planner_that_writes_in_place_is_given_time(tmp_path):
    client = make_client(tmp_path)
    planner = ReferencePlanner(tmp_path, make_vocabulary(), choose, slow_write=0.03)
    planner.start()
    worker = make_files_worker(tmp_path, client, tmp_path / "out")
    assert worker.run(Handle("straight")).status == "ok"
    worker.close()


def test_a_missing_planner_is_an_error_in_time_and_the_scene_is_filled_up(tmp_path):
    client = make_client(tmp_path)
    client._start_timeout, client._plan_timeout = 0.05, 0.1
    worker = make_files_worker(tmp_path, client, tmp_path / "out")
    row = worker.run(Handle("straight"))
    assert row.status == "failed"
    assert row.error.startswith("PlannerTimeoutError: no plan straight_4.npy")
    assert "within 0.15 s" in row.error
    # A planner that comes to it late is led through to the end instead of waiting for minutes.
    frames = [
        pickle.loads((tmp_path / "frames" / f"straight_{k}.pkl").read_bytes())
        for k in range(FRAMES_PER_SCENE)
    ]
    assert [frame["frame_idx"] for frame in frames] == list(range(FRAMES_PER_SCENE))
    worker.close()


def test_a_planner_goes_on_to_the_next_scene_after_a_failure(tmp_path):
    client = make_client(tmp_path)
    planner = ReferencePlanner(tmp_path, make_vocabulary(), choose)
    planner.start()
    worker = make_files_worker(tmp_path, client, tmp_path / "out")
    worker._simulation.step = FailingStep(worker._simulation.step)
    rows = [worker.run(Handle(token)) for token in ("one", "two")]
    assert [row.status for row in rows] == ["failed", "ok"]
    assert rows[0].error == "ZeroDivisionError: out of road"
    worker.close()
    planner.join(PATIENCE)
    assert planner.error is None


class FailingStep:
    def __init__(self, inner):
        self.inner, self.calls = inner, 0

    def __call__(self, state, plan):
        self.calls += 1
        if self.calls == 3:
            raise ZeroDivisionError("out of road")
        return self.inner(state, plan)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (np.zeros((40, 2), np.float32), "PlanError: a plan has poses of shape"),
        (np.full((40, 3), np.nan, np.float32), "PlanError: a plan holds NaN"),
        (np.array(["left"]), "BridgeError: "),
        (b"not an array", "BridgeError: "),
    ],
)
def test_malformed_plans_are_typed_errors(content, said, tmp_path, monkeypatch):
    monkeypatch.setattr("simengine.bridge.files.plans._SETTLE_S", 0.05)
    client = make_client(tmp_path)
    worker = make_files_worker(tmp_path, client, tmp_path / "out")

    def answer():
        while not (tmp_path / "frames" / "straight_3.pkl").exists():
            time.sleep(0.005)
        path = tmp_path / "plan_traj" / "straight_4.npy"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.save(path, content)

    thread = threading.Thread(target=answer)
    thread.start()
    row = worker.run(Handle("straight"))
    thread.join()
    worker.close()
    assert row.error.startswith(said)


def test_numbers_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected seconds > 0"):
        make_client(tmp_path, frames_per_scene=1)
