"""Distance and angle to recorded views."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_scenario
from simengine.geometry.se3 import transform_from_pose
from simengine.render.rig import nuplan_rig
from simengine.render.trust.views import closeness, recorded_views

RIG = nuplan_rig(64, 36)
LOG = make_scenario().ego.pose
VIEWS = recorded_views(LOG, RIG)


def nearest(pose, camera):
    return VIEWS.nearest(transform_from_pose(np.asarray(pose, float)) @ camera.ego_from_cam)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(LOG) - 1), st.integers(0, 7))
def test_on_the_log_nothing_is_far(frame, channel):
    assert nearest(LOG[frame], RIG[channel]) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert closeness(*nearest(LOG[frame], RIG[channel])) == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 6.0), st.floats(0.0, 6.0), st.sampled_from([-1.0, 1.0]), st.integers(0, 7))
def test_a_larger_shift_to_the_side_is_never_trusted_more(one, other, side, channel):
    near, far = sorted((one, other))
    pose = LOG[20]
    seen = [nearest(pose + [0.0, side * shift, 0.0], RIG[channel]) for shift in (near, far)]
    assert seen[0] == pytest.approx((near, 0.0), abs=1e-9)
    assert closeness(*seen[0]) >= closeness(*seen[1])


def test_beyond_the_end_of_the_log_distance_is_counted_from_it():
    distance, angle = nearest(LOG[-1] + [7.5, 0.0, 0.0], RIG[0])
    assert (distance, angle) == pytest.approx((7.5, 0.0))


@pytest.mark.parametrize("turn_deg", [1e-4, 3.0, 20.0])
def test_small_turns_are_told_from_none(turn_deg):
    _, angle = nearest(LOG[20] + [0.0, 0.0, np.radians(turn_deg)], RIG[0])
    assert angle == pytest.approx(turn_deg, rel=1e-4)


def test_another_camera_may_have_seen_it():
    """Turned by 55 degrees, the front camera looks where the front left one did, a little to the side."""
    distance, angle = nearest(LOG[20] + [0.0, 0.0, np.radians(55.0)], RIG[0])
    assert angle < 2.0 and 0.1 < distance < 2.0


def test_formula_by_hand():
    assert closeness(2.0, 0.0) == pytest.approx(np.exp(-0.5)) == closeness(0.0, 15.0)
    assert closeness(1.0, 30.0) == pytest.approx(np.exp(-0.5 * (0.25 + 4.0)))
