"""The published can-bus vector against rotation matrices."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from algengine.datasets.openscene.can_bus import can_bus_clip, quaternion_between
from algengine.datasets.openscene.frame import FrameParser
from openscene_factories import make_info


def frames(count=4):
    return [FrameParser("test").frame(make_info("log-a", i)) for i in range(count)]


def turned(frame, yaw):
    can_bus = frame.can_bus.copy()
    can_bus[3:7] = np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)
    return replace(frame, can_bus=can_bus)


def wxyz(rotation):
    return np.roll(rotation.as_quat(), 1)


def test_vectors_are_relative_and_the_rest_is_kept():
    queue = frames()
    vectors = can_bus_clip(queue)
    assert vectors.shape == (4, 18) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0, :7], [0, 0, 0, 1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(vectors[0, 16:], 0.0)
    for q in range(1, 4):
        step = queue[q].can_bus[:3] - queue[q - 1].can_bus[:3]
        np.testing.assert_allclose(vectors[q, :3], step, atol=1e-4)
        np.testing.assert_allclose(vectors[q, 16], 0.05, atol=1e-6)  # 0.1 rad/s over 0.5 s
        np.testing.assert_allclose(vectors[q, 17], np.degrees(0.05), atol=1e-4)
        np.testing.assert_allclose(vectors[q, 3:7], [np.cos(0.025), 0, 0, np.sin(0.025)], atol=1e-6)
        np.testing.assert_allclose(vectors[q, 7:16], queue[q].can_bus[7:16], atol=1e-6)


def test_the_quaternion_is_the_rotation_since_the_frame_before():
    a, b = Rotation.random(2, random_state=3)
    between = quaternion_between(wxyz(a), wxyz(b))
    expected = wxyz(b * a.inv())
    np.testing.assert_allclose(between * np.sign(between[0]), expected * np.sign(expected[0]), atol=1e-12)


@pytest.mark.parametrize(("fix", "turn"), [(True, 2.0), (False, -358.0)])
def test_turns_jump_only_without_the_fix(fix, turn):
    one, other = frames(2)
    queue = [turned(one, np.radians(-1.0)), turned(other, np.radians(1.0))]
    vectors = can_bus_clip(queue, fix_yaw_jump=fix)
    np.testing.assert_allclose(vectors[1, 17], turn, atol=1e-4)
    np.testing.assert_allclose(vectors[1, 16], np.radians(turn), atol=1e-5)


def test_without_the_rotation_fix_the_quaternion_is_absolute():
    queue = frames(2)
    vectors = can_bus_clip(queue, fix_can_bus_rotation=False)
    np.testing.assert_allclose(vectors[:, 3:7], [f.can_bus[3:7] for f in queue], atol=1e-6)
