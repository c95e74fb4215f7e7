import numpy as np
import pytest
import torch

from alg_factories import make_log, make_states, write_recordings
from algengine.datasets.collate import planning_collate
from algengine.datasets.frames import camera_inputs, future_in_ego
from algengine.datasets.perturb import displaced_future, displaced_motion
from algengine.datasets.recordings import RecordingDataset, in_validation
from algengine.errors import RecordingError
from simengine.geometry.se2 import to_local, to_parent
from simengine.render.rig import nuplan_rig

pytestmark = pytest.mark.mm


def test_future_is_in_the_ego_frame():
    states = make_states(10.0, 0.0, 81)
    future, exists = future_in_ego(states, 50, states[50, :3], 40)
    assert np.allclose(future[:30, 0], np.arange(1, 31), atol=1e-4)
    assert exists.sum() == 30
    assert np.allclose(future[:, 1:], 0)


def test_clips_cover_frames_with_a_future(tmp_path):
    make_log("a", decisions=16).save(tmp_path / "a.npz")
    data = RecordingDataset(str(tmp_path), part="all", clip_length=4, clip_stride=1, image_size=(64, 36))
    # 81 states: decisions 0..8 have 40 future states, so clips start at 0..5.
    assert sorted(clip.first for clip in data.clips) == [0, 1, 2, 3, 4, 5]
    item = data[0]
    assert item["inputs"]["images"].shape == (4, 8, 36, 64, 3)
    assert item["inputs"]["images"].dtype == torch.uint8
    assert item["data_samples"].gt_valid.all()
    assert torch.allclose(item["inputs"]["motion"][1:, 0], torch.tensor(4.0))  # 8 m/s for 0.5 s
    assert torch.equal(item["inputs"]["motion"][0], torch.zeros(3))


def test_collate_stacks(tmp_path):
    write_recordings(tmp_path, 3, decisions=12)
    data = RecordingDataset(str(tmp_path), part="all", clip_length=2, image_size=(64, 36))
    batch = planning_collate([data[0], data[1]])
    assert batch["inputs"]["images"].shape[:2] == (2, 2)
    assert len(batch["data_samples"]) == 2


def test_logs_never_change_sides(tmp_path):
    write_recordings(tmp_path, 16, decisions=12)
    parts = [
        RecordingDataset(str(tmp_path), part=part, clip_length=2, val_share=0.4, image_size=(64, 36)).paths
        for part in ("train", "val")
    ]
    assert not set(parts[0]) & set(parts[1])
    assert len(parts[0]) + len(parts[1]) == 16
    assert all(in_validation(path.stem, 0.6) for path in parts[1])


def test_missing_recordings_and_cameras(tmp_path):
    with pytest.raises(RecordingError, match="no observation logs"):
        RecordingDataset(str(tmp_path))
    make_log("a").save(tmp_path / "a.npz")
    with pytest.raises(RecordingError, match="CAM_X"):
        RecordingDataset(str(tmp_path), part="all", cameras=("CAM_F0", "CAM_X"))
    with pytest.raises(RecordingError, match="record longer"):
        RecordingDataset(str(tmp_path), part="all", clip_length=14)


def test_displaced_cameras_see_the_same_world():
    shift = np.array([0.0, 0.7, 0.1])
    straight, moved = (camera_inputs(nuplan_rig(320, 180), (320, 180), s) for s in (None, shift))
    point = np.array([12.0, 3.0, 1.0])
    local = to_local(shift, np.array([[12.0, 3.0, 0.0]]))[0]
    in_cam = straight["cam_from_ego"][0] @ np.append(point, 1.0)
    again = moved["cam_from_ego"][0] @ np.array([local[0], local[1], 1.0, 1.0])
    assert np.allclose(in_cam, again, atol=1e-4)


def test_displaced_future_starts_at_the_car_and_ends_on_the_path():
    states = make_states(8.0, 0.01, 41)
    future = states[1:, :3]
    shift = np.array([0.0, 0.6, 0.04])
    blended = displaced_future(future, shift, 0.1, 2.5)
    back = to_parent(shift, blended)
    assert np.allclose(back[25:], future[25:], atol=1e-6)
    assert abs(blended[0, 1]) < 0.05  # 0.1 s after the start the car is still where it stands
    assert np.abs(np.diff(blended[:, 2])).max() < 0.05
    # The heading points where the path goes.
    slope = np.arctan2(np.diff(blended[:, 1]), np.diff(blended[:, 0]))
    assert np.abs(slope - blended[:-1, 2]).max() < 0.08


def test_displaced_motion_is_a_change_of_frames():
    shift, motion = np.array([0.0, 0.5, 0.1]), np.array([[4.0, 0.2, 0.05]])
    world = np.array([3.0, 4.0, 1.0])
    later = to_parent(world, motion)[0]
    a, b = to_parent(world, shift[None])[0], to_parent(later, shift[None])[0]
    assert np.allclose(displaced_motion(motion, shift), to_local(a, b[None]))
