import numpy as np
import pytest
import torch

from algengine.heads.tracking.box_code import BoxCode
from algengine.heads.tracking.motion import moved_reference
from simengine.geometry.se2 import points_to_local

pytestmark = pytest.mark.mm

CODE = BoxCode((-50.0, 50.0), (-50.0, 50.0), (-2.0, 4.0))


def moved(place: list[float], velocity: list[float], motion: list[float]) -> list[float]:
    reference = CODE.reference(torch.tensor([[place]]))
    after = moved_reference(reference, torch.tensor([[velocity]]), torch.tensor([motion]), 0.5, CODE)
    return CODE.place(after)[0, 0].tolist()


def test_a_standing_object_comes_nearer_as_the_ego_drives():
    assert moved([20.0, 3.0, 1.0], [0.0, 0.0], [4.0, 0.0, 0.0]) == pytest.approx([16.0, 3.0, 1.0], abs=1e-4)


def test_an_object_as_fast_as_the_ego_stays():
    assert moved([20.0, 3.0, 1.0], [8.0, 0.0], [4.0, 0.0, 0.0]) == pytest.approx([20.0, 3.0, 1.0], abs=1e-4)


def test_a_left_turn_moves_what_is_ahead_to_the_right():
    assert moved([10.0, 0.0, 1.0], [0.0, 0.0], [0.0, 0.0, np.pi / 2]) == pytest.approx(
        [0.0, -10.0, 1.0], abs=1e-4
    )


def test_what_leaves_the_volume_waits_at_its_border():
    assert moved([49.0, 0.0, 1.0], [10.0, 0.0], [0.0, 0.0, 0.0]) == pytest.approx([50.0, 0.0, 1.0], abs=1e-4)


def test_the_same_as_the_simulators_geometry():
    rng = np.random.default_rng(0)
    for _ in range(20):
        place, velocity, motion = rng.uniform(-10, 10, 2), rng.uniform(-8, 8, 2), rng.uniform(-3, 3, 3)
        wanted = points_to_local(motion, (place + 0.5 * velocity)[None])[0]
        found = moved([*place, 0.5], list(velocity), list(motion))
        assert found == pytest.approx([*wanted, 0.5], abs=1e-4)
