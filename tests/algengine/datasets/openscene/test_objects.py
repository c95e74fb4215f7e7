import numpy as np
import pytest

from algengine import registry
from algengine.datasets.openscene.objects import parse_objects
from openscene_factories import OpenScene, arc_pose, dump
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.errors import ConfigError
from simengine.geometry.se2 import points_to_local, rotate

pytestmark = pytest.mark.mm

NAMES = np.array(["vehicle", "cyclist", "pedestrian", "tree"])
SPEED = np.array([[6.0, -1.0], [3.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
START = np.array([[1010.0, 2000.0], [1020.0, 1990.0], [1005.0, 2005.0], [1015.0, 2000.0]])


def places(time: float) -> np.ndarray:
    """Return where four objects are in the map datum."""
    return START + time * SPEED


def with_objects(info: dict) -> dict:
    """Return an info with four objects; the third comes into view at frame 6."""
    time = 0.5 * info["frame_idx"]
    pose = arc_pose(time)
    seen = np.array([True, True, info["frame_idx"] >= 6, True])
    boxes = np.zeros((4, 7))
    boxes[:, :2], boxes[:, 2], boxes[:, 3:6] = points_to_local(pose, places(time)), 0.4, (4.0, 2.0, 1.5)
    boxes[:, 6] = -pose[2]
    return info | {
        "gt_boxes": boxes[seen],
        "gt_names": NAMES[seen],
        "gt_velocity": rotate(SPEED, -pose[2])[seen],
        "gt_inds": np.array([11, 5, 8, 2])[seen],
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> OpenScene:
    scene = OpenScene(tmp_path_factory.mktemp("scene"), logs=("2021.log-a",))
    dump(scene.ann_file, [with_objects(info) for info in scene.infos])
    return scene


def dataset_of(scene: OpenScene, **changes: object):
    area = {"x_range": (-80.0, 80.0), "y_range": (-80.0, 80.0)}
    return registry.DATASETS.build(scene.options(queue_length=3, objects=area, **changes))


def test_objects_keep_their_row_and_their_class(scene):
    data = dataset_of(scene)
    objects = data[1]["data_samples"].gt_objects  # frames 5, 6, 7
    assert objects.ids.tolist() == [5, 8, 11]  # what is no class of ours is left out
    assert objects.labels.tolist() == [1, 2, 0]
    assert objects.present.tolist() == [[True, False, True], [True, True, True], [True, True, True]]


def test_boxes_stand_on_our_road(scene):
    objects = dataset_of(scene)[1]["data_samples"].gt_objects
    for q, time in enumerate((2.5, 3.0, 3.5)):
        wanted = points_to_local(arc_pose(time), places(time))
        assert np.allclose(objects.boxes[q, [2, 0], :2], wanted[:2], atol=1e-3)
    assert np.allclose(objects.boxes[1, :, 2], 0.4 + AXLE_HEIGHT)
    assert np.allclose(objects.boxes[2, 2, 7:], rotate(SPEED[0], -arc_pose(3.5)[2]), atol=1e-4)


def test_tracks_come_from_the_frames_around(scene):
    objects = dataset_of(scene)[1]["data_samples"].gt_objects
    steps = np.array([-0.5, -1.0, -1.5, 0.5, 1.0, 1.5, 2.0])[:, None]
    wanted = rotate(steps * SPEED[0], -arc_pose(3.0)[2])
    assert objects.tracks_valid[1, 2].all()
    assert np.allclose(objects.tracks[1, 2], wanted, atol=1e-3)
    assert objects.tracks_valid[2, 1].tolist() == [True, False, False, True, True, True, True]


def test_a_queue_that_begins_before_the_log_repeats_its_first_frame(scene):
    data = dataset_of(scene, test_mode=True, nav_filter_path=None)
    first = data[0]["data_samples"].gt_objects
    assert np.allclose(first.boxes[0], first.boxes[2])
    second = data[1]["data_samples"].gt_objects
    assert np.allclose(second.boxes[0], second.boxes[1]) and not np.allclose(second.boxes[1], second.boxes[2])
    assert not second.tracks_valid[0, :, :3].any() and second.tracks_valid[2, 0, 0]


def test_objects_that_are_not_valid_are_left_out(scene):
    info = with_objects(scene.infos[8])
    assert len(parse_objects(info | {"valid_flag": np.array([True, False, True, True])}).ids) == 2


def test_planners_do_not_keep_objects(scene):
    data = registry.DATASETS.build(scene.options())
    assert data.items[0].frame.objects is None and "gt_objects" not in data[0]["data_samples"]


def test_rollouts_have_no_identities(scene):
    with pytest.raises(ConfigError, match="no identity"):
        dataset_of(scene, simulated={"data_root": "x", "folder_name": "y"})
