"""Observations as network inputs."""

import pytest

from algengine.datasets.frames import camera_order
from algengine.errors import RecordingError


def test_cameras_come_in_the_order_of_the_planner():
    assert camera_order(["b", "c", "a"], ["a", "b"], "log") == [2, 0]
    assert camera_order(["b", "c", "a"], [], "log") == [0, 1, 2]


@pytest.mark.parametrize(("present", "wanted", "lacks"), [(["a"], ["a", "b"], r"\['b'\]"), ([], [], "some")])
def test_a_missing_camera_is_named_with_its_source(present, wanted, lacks):
    with pytest.raises(RecordingError, match=f"drive-7 has cameras .* expected also {lacks}: "):
        camera_order(present, wanted, "drive-7")
