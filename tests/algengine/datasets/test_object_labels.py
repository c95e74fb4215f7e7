import pickle
from dataclasses import fields
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch

from alg_factories import CAMERAS, make_log
from algengine.datasets.object_labels import (
    ObjectRange,
    draw_objects,
    load_objects,
    objects_path,
    save_objects,
    shifted_boxes,
)
from algengine.datasets.recordings import RecordingDataset
from algengine.errors import RecordingError
from algengine.structures.objects import FUTURE_STEPS, PAST_STEPS, ClipObjects, padded
from perception_factories import make_agents, make_record, write_perception_recordings
from simengine.geometry.se2 import to_local

pytestmark = pytest.mark.mm


def make_labels(curvature: float = 0.0):
    log = make_log("a", 8.0, curvature)
    agents = make_agents(len(log.ego_states))
    return log, agents, draw_objects(make_record(log, agents))


def test_boxes_are_in_the_ego_frame_of_their_moment():
    log, agents, labels = make_labels(0.03)
    for d, frame in enumerate(log.decision_frames):
        wanted = to_local(log.ego_states[frame, :3], agents.pose[:, frame])
        assert np.allclose(labels.boxes[d, :, [0, 1, 6]].T, wanted, atol=1e-4)
    assert np.allclose(labels.boxes[:, :, 2], agents.size[:, 2] / 2)
    speed = np.linalg.norm(labels.boxes[..., 7:], axis=-1)
    assert np.allclose(speed, np.linalg.norm(agents.velocity[:, 0], axis=-1), atol=1e-4)
    # Agents head along x of the world, so as seen from a turning ego velocity and heading agree.
    heading = np.arctan2(labels.boxes[..., 8], labels.boxes[..., 7])[:, 1:]
    assert np.allclose(heading, labels.boxes[:, 1:, 6], atol=1e-4)


def test_tracks_lead_where_the_object_was_and_will_be():
    _, agents, labels = make_labels()
    speed = agents.velocity[2, 0, 0]
    gone = np.array([-0.5, -1.0, -1.5, 0.5, 1.0, 1.5, 2.0]) * speed
    assert np.allclose(labels.tracks[5, 2, :, 0], gone, atol=1e-3)
    assert labels.tracks_valid[5, 2].all()
    assert labels.tracks_valid[0, 2].tolist() == [False] * PAST_STEPS + [True] * FUTURE_STEPS
    assert labels.tracks_valid[-1, 2].tolist() == [True] * PAST_STEPS + [True] + [False] * (FUTURE_STEPS - 1)


def test_rows_are_objects_and_far_ones_are_left_out():
    _, _, labels = make_labels()
    clip = labels.clip(range(0, 4), ObjectRange((-12.8, 14.0), (-25.6, 25.6)))
    # Object 0 stands at 8 m; object 1, at 17 m and half as fast as the ego, comes near; object 2 runs away.
    assert clip.ids.tolist() == [0, 1]
    assert clip.present[:, 0].all()
    assert clip.present[:, 1].tolist() == [False, False, True, True]


def test_a_pretended_ego_sees_them_from_where_it_stands():
    _, _, labels = make_labels()
    shift = np.array([0.0, 1.0, 0.2])
    clip = labels.clip(range(3), ObjectRange(), shift)
    wanted = to_local(shift, labels.boxes[0][:, [0, 1, 6]])
    assert np.allclose(clip.boxes[0][:, [0, 1, 6]], wanted, atol=1e-4)
    ahead = np.linalg.norm(labels.tracks, axis=-1)[:3]
    assert np.allclose(np.linalg.norm(clip.tracks, axis=-1), ahead, atol=1e-3)
    back = shifted_boxes(shifted_boxes(labels.boxes, shift), to_local(shift, np.zeros((1, 3)))[0])
    assert np.allclose(back, labels.boxes, atol=1e-4)


def test_files(tmp_path):
    _, _, labels = make_labels()
    recording = tmp_path / "observations" / "a.npz"
    save_objects(labels, objects_path(recording))
    loaded = load_objects(recording)
    assert np.array_equal(loaded.boxes, labels.boxes) and loaded.ids.tolist() == labels.ids.tolist()
    with pytest.raises(RecordingError, match="algengine labels"):
        load_objects(tmp_path / "observations" / "b.npz")
    objects_path(recording).write_bytes(objects_path(recording).read_bytes()[:100])
    with pytest.raises(RecordingError, match="cannot be read"):
        load_objects(recording)


def test_clips_of_recordings_have_their_objects(tmp_path):
    folder = write_perception_recordings(tmp_path, 1, decisions=12)
    data = RecordingDataset(
        str(folder),
        part="all",
        clip_length=2,
        clip_stride=3,
        image_size=(64, 36),
        cameras=CAMERAS,
        objects={"x_range": (-12.8, 51.2), "y_range": (-25.6, 25.6)},
    )
    first = data.clips[0].first
    objects = data[0]["data_samples"].gt_objects
    labels = load_objects(data.paths[0])
    assert torch.equal(
        objects.boxes, torch.from_numpy(labels.boxes[first : first + 2][:, objects.ids.numpy()])
    )


def make_clip(rows: int) -> ClipObjects:
    return ClipObjects(
        torch.ones(2, rows, 9),
        torch.ones(2, rows, dtype=torch.bool),
        torch.ones(rows, dtype=torch.int64),
        torch.arange(rows),
        torch.ones(2, rows, 7, 2),
        torch.ones(2, rows, 7, dtype=torch.bool),
    )


def test_objects_cross_processes_by_value():
    clip = make_clip(3)
    plain = ForkingPickler.dumps(clip)
    again = pickle.loads(plain)
    assert type(again) is ClipObjects
    for field in fields(clip):
        assert torch.equal(getattr(again, field.name), getattr(clip, field.name))
    assert b"rebuild_storage" not in bytes(plain) and b"_fd" not in bytes(plain)


def test_padding_adds_objects_that_are_never_there():
    batch = padded([make_clip(3), make_clip(0), make_clip(1)])
    assert batch.boxes.shape == (3, 2, 3, 9) and batch.labels.shape == (3, 3)
    assert batch.present.sum((1, 2)).tolist() == [6, 0, 2]
    assert not batch.tracks_valid[2, :, 1:].any()
    assert padded([make_clip(0)]).boxes.shape == (1, 2, 1, 9)
