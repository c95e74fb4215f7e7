"""A vocabulary is simulated as its plans are."""

import numpy as np
import pytest

from simengine.datatypes.ego import StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.rules import CORRECTED, NAVSIM_V1
from simengine.dynamics.simulate import simulate
from simengine.dynamics.vocabulary import VocabularySimulator
from simengine.geometry import se2
from tracker_factories import make_paths, make_state


@pytest.mark.parametrize("rules", [NAVSIM_V1, CORRECTED])
def test_a_vocabulary_is_simulated_as_its_plans_are(rules):
    plans = make_paths("ordinary", 600)[:, 1:]
    vocabulary = VocabularySimulator(plans, 0.1, rules=rules)
    for pose in ((0.0, 0.0, 0.0), (120.0, -40.0, -3.0)):
        state = make_state(pose=pose)
        state[StateIndex.STEERING_ANGLE] = 0.0
        poses = np.concatenate(
            [np.broadcast_to(state[:3], (600, 1, 3)), se2.to_parent(state[:3], plans)], axis=1
        )
        expected = simulate(state, poses, VehicleParams(), 0.1, rules=rules)
        states = vocabulary.simulate(state)
        assert states.shape == (600, 41, 11)
        np.testing.assert_allclose(states, expected, atol=1e-8)
        np.testing.assert_array_equal(
            vocabulary.simulate(state, threads=2), vocabulary.simulate(state, threads=1)
        )
