"""Map elements of OpenScene frames, from a nuPlan map of a small town."""

import numpy as np
import pytest

from algengine.datasets.map_labels import CONTOUR, DIVIDER
from algengine.datasets.openscene.frame import FrameParser
from algengine.datasets.openscene.maps import OpenSceneMaps
from algengine.registry import DATASETS
from nuplan_factories import ORIGIN, PLACE, town, write_map
from openscene_factories import OpenScene, dump, make_info, matrix
from simengine.errors import ScenarioFormatError

pytestmark = pytest.mark.mm

GRID = {"x_range": (-25.6, 25.6), "y_range": (-25.6, 25.6), "cell": 0.512}


@pytest.fixture(scope="module")
def map_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("maps")
    write_map(root, town())
    return root


def in_town(x: float, y: float, yaw: float, place: str = PLACE) -> dict:
    """Frame at a place of the town, whose west arm runs along x with a dashed line on y = 0 between two lanes."""
    pose = np.array([*(ORIGIN + [x, y]), yaw])
    return make_info("log", 0) | {"ego2global": matrix(pose), "map_location": place}


def span(mask: np.ndarray) -> tuple[float, float]:
    """Lowest and highest y of the cells of a mask [m]."""
    rows = np.flatnonzero(mask.any(1))
    return tuple(-25.6 + (rows[[0, -1]] + 0.5) * 0.512)


def test_elements_around_a_frame(map_root):
    maps = OpenSceneMaps(str(map_root), **GRID)
    parser = FrameParser("test")
    # On the right lane, eastwards: the dashed line is 1.75 m to the left, the road ends 1.75 m right and 5.25 m left.
    east = maps.draw(parser.frame(in_town(-70.0, -1.75, 0.0)))
    divider, contour = (east.masks[east.labels == kind].any(0) for kind in (DIVIDER, CONTOUR))
    assert span(divider) == pytest.approx((1.75, 1.75), abs=0.76)
    assert span(contour) == pytest.approx((-1.75, 5.25), abs=0.76)
    assert span(east.drivable) == pytest.approx((-1.75, 5.25), abs=0.52)
    # Westwards on the same spot everything is mirrored.
    west = maps.draw(parser.frame(in_town(-70.0, -1.75, np.pi)))
    assert span(west.masks[west.labels == DIVIDER].any(0)) == pytest.approx((-1.75, -1.75), abs=0.76)


def test_samples_have_their_map(tmp_path, map_root):
    scene = OpenScene(tmp_path)
    here = in_town(-70.0, -1.75, 0.0)
    moved = {key: here[key] for key in ("ego2global", "map_location")}
    dump(scene.ann_file, [info | moved for info in scene.infos])
    sample = DATASETS.build(scene.options(maps={"map_root": str(map_root), **GRID}))[0]["data_samples"]
    assert sample.gt_map_masks.shape == (len(sample.gt_map_labels), 100, 100)
    assert sample.gt_map_drivable.any() and set(sample.gt_map_labels.tolist()) == {DIVIDER, CONTOUR}


def test_missing_maps_are_explained(map_root):
    maps = OpenSceneMaps(str(map_root), **GRID)
    for place in ("sg-one-north", ""):
        with pytest.raises(ScenarioFormatError, match="download nuPlan's maps"):
            maps.draw(FrameParser("test").frame(in_town(0.0, 0.0, 0.0, place)))
