"""Records and logs as drives."""

import numpy as np
import pytest

from simengine.view.drive import logged_drive
from view_factories import make_drive, make_street


def test_a_record_begins_at_the_first_decision():
    drive = make_drive()
    assert (drive.num_frames, drive.first_frame) == (41, 15)
    assert drive.duration == pytest.approx(4.0)
    assert drive.speed[0] == pytest.approx(9.0)


def test_a_log_begins_at_its_first_frame_and_has_no_plan():
    drive = logged_drive("street", make_street(), 64, 36)
    assert (drive.num_frames, drive.first_frame) == (66, 0)
    assert drive.plan_at(30) is None
    assert drive.speed == pytest.approx(8.0)
    assert (drive.cameras[0].width_px, drive.cameras[0].height_px) == (64, 36)


def test_only_present_agents_exist():
    drive = make_drive()
    assert drive.agents_at(24).ids == ("ahead/1", "beside", "person")
    assert drive.agents_at(25).ids == ("ahead/1", "person")


def test_a_plan_starts_at_the_ego_of_its_decision_and_lasts_until_the_next():
    drive = make_drive()
    plan = drive.plan_at(7)
    assert plan[0] == pytest.approx(drive.ego[5, :2])
    assert plan[-1] == pytest.approx(drive.ego[5, :2] + np.array([36.0, 0.0]))
    assert np.array_equal(drive.plan_at(9), plan)
    assert not np.array_equal(drive.plan_at(10), plan)


def test_the_gap_is_between_boxes():
    drive = make_drive()
    # Rear axle at 12 m, front 1.461 + 5.176 / 2 m ahead of it; the rear of the car ahead at 34 - 2.3 m.
    assert drive.gap(0, 0) == pytest.approx(31.7 - (12.0 + 1.461 + 2.588))


def test_facts_of_an_agent():
    facts = make_drive().facts(0, 0)
    assert facts["id"] == "ahead/1"
    assert facts["type"] == "vehicle"
    assert facts["speed"] == "6.0 m/s"
    assert facts["size"] == "4.6 x 1.9 x 1.5 m"
    assert facts["distance"] == "15.7 m from the ego"
    assert "not in the scene" in make_drive().facts(1, 30)["state"]
