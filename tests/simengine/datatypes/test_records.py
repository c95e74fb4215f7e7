"""Records and observation logs: round trips, hashes and broken files."""

from dataclasses import fields, replace

import numpy as np
import pytest

from factories import make_tracks
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.observation_log import ObservationLog, read_jpegs
from simengine.datatypes.record import RolloutRecord
from simengine.datatypes.record_io import load_record, save_record
from simengine.datatypes.trust import RenderTrust
from simengine.errors import ScenarioFormatError


def make_record() -> RolloutRecord:
    rng = np.random.default_rng(3)
    return RolloutRecord(
        token="a-1",
        protocol="navsim",
        traffic="NR",
        seed=7,
        dt=0.1,
        timestamps_us=np.arange(41) * 100_000,
        ego_states=rng.normal(size=(41, 11)),
        agents=make_tracks(rng.normal(size=(3, 51, 3))),
        lights=TrafficLights(("lane",), np.ones((1, 51), np.int8), np.array([[np.nan, 1.0]])),
        decision_frames=np.arange(8) * 5,
        plans=rng.normal(size=(8, 40, 3)),
        plan_dt=0.1,
        plan_indices=np.full(8, -1),
        commands=np.ones(8, np.int8),
    )


def make_log() -> ObservationLog:
    rng = np.random.default_rng(4)
    cameras = tuple(
        CameraCalibration(name, 32, 18, np.eye(3) * i, np.eye(4), np.zeros(5))
        for i, name in enumerate("ab", 1)
    )
    return ObservationLog(
        token="a-1",
        cameras=cameras,
        jpegs=((b"x", b"longer"), (b"", b"yz"), (b"1", b"2")),
        timestamps_us=np.arange(3),
        ego_pose=rng.normal(size=(3, 3)),
        ego_history=rng.normal(size=(3, 4, 3)),
        velocity_history=rng.normal(size=(3, 4, 2)),
        acceleration_history=rng.normal(size=(3, 4, 2)),
        command_history=np.ones((3, 4), np.int8),
        history_valid=np.ones((3, 4), bool),
        history_dt=0.5,
        ego_states=rng.normal(size=(11, 11)),
        state_dt=0.1,
        decision_frames=np.array([0, 5, 10]),
    )


def test_record_round_trip(tmp_path):
    record = make_record()
    save_record(record, tmp_path / "r.npz")
    assert load_record(tmp_path / "r.npz").content_hash() == record.content_hash()
    assert [p.name for p in tmp_path.iterdir()] == ["r.npz"]


def test_every_field_of_a_record_enters_its_hash():
    record = make_record()
    changed = {
        "token": "b", "protocol": "x", "traffic": "R", "seed": 8, "dt": 0.2, "plan_dt": 0.2,
        "agents": make_tracks(np.zeros((1, 51, 3))), "lights": TrafficLights.empty(51),
        "trust": RenderTrust((), *np.zeros((5, 8, 0))),
    }  # fmt: skip
    for field in fields(record):
        value = changed.get(field.name)
        if value is None:
            value = getattr(record, field.name) + 1
        assert replace(record, **{field.name: value}).content_hash() != record.content_hash(), field.name


def test_observation_log_round_trip(tmp_path):
    log = make_log()
    log.save(tmp_path / "o.npz")
    again = ObservationLog.load(tmp_path / "o.npz")
    assert again.jpegs == log.jpegs
    assert [c.name for c in again.cameras] == ["a", "b"]
    np.testing.assert_array_equal(again.cameras[1].intrinsic, log.cameras[1].intrinsic)
    for name in (
        "ego_pose",
        "ego_history",
        "command_history",
        "history_valid",
        "ego_states",
        "decision_frames",
    ):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name))


def test_images_of_a_log_are_read_when_they_are_wanted(tmp_path):
    log = make_log()
    log.save(tmp_path / "o.npz")
    slim = ObservationLog.load(tmp_path / "o.npz", images=False)
    assert slim.jpegs == () and slim.num_decisions == log.num_decisions
    np.testing.assert_array_equal(slim.ego_states, log.ego_states)
    for first in range(log.num_decisions):
        for last in range(first, log.num_decisions + 1):
            assert read_jpegs(tmp_path / "o.npz", range(first, last)) == log.jpegs[first:last]
    with pytest.raises(ScenarioFormatError, match="cannot be read"):
        read_jpegs(tmp_path / "absent.npz", range(1))


@pytest.mark.parametrize("kind", ["record", "log"])
@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path, kind, keep):
    path = tmp_path / "f.npz"
    if kind == "record":
        save_record(make_record(), path)
        load = load_record
    else:
        make_log().save(path)
        load = ObservationLog.load
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(ScenarioFormatError, match="again"):
        load(path)


def test_files_of_another_format_are_refused(tmp_path):
    make_log().save(tmp_path / "o.npz")
    with pytest.raises(ScenarioFormatError):
        load_record(tmp_path / "o.npz")
    with pytest.raises(ScenarioFormatError):
        ObservationLog.load(tmp_path / "absent.npz")
