"""Perturbed starts: within bounds, repeatable, possible, smoothly reached; and somebody drives back."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from rewards_factories import busy_scenario
from simengine.agents.pdm_closed import PdmClosedPolicy
from simengine.agents.recovery import Offset, RecoveryParams, perturbed_start, perturbed_trail
from simengine.agents.traffic import LogReplay
from simengine.config.compose import compose_run
from simengine.config.recovery import recovery_source
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.map import VectorMap
from simengine.datatypes.record_io import load_record
from simengine.dynamics.tracking import LqrTracking
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.geometry import boxes, se2
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import Worker, WorkerSettings, scenario_seed
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol

HISTORY = 1.5


def start_of(scenario, params=None, seed=0):
    state = Simulation(Protocol(), LqrTracking(), LogReplay).reset(scenario)
    return state, perturbed_start(scenario, state, params or RecoveryParams(), seed, HISTORY)


def test_starts_spread_over_what_is_allowed():
    params = RecoveryParams(lateral=0.5, heading=0.1, speed=2.0)
    starts = np.array([start_of(make_scenario(), params, seed)[1].ego for seed in range(200)])
    for column, middle, most in ((1, 0.0, 0.5), (2, 0.0, 0.1), (3, 8.0, 2.0)):
        off = starts[:, column] - middle
        assert 0.9 * most < np.abs(off).max() <= most + 1e-9
        assert abs(off.mean()) < 0.25 * most
    assert starts[:, 0] == pytest.approx(12.0)  # not moved along the road


def test_a_start_depends_on_its_seed_only():
    first, again, other = (start_of(busy_scenario(), seed=seed)[1] for seed in (5, 5, 6))
    assert (first.ego_trail == again.ego_trail).all() and (first.ego != other.ego).any()


def test_nothing_else_of_the_state_changes():
    state, moved = start_of(busy_scenario())
    assert (moved.ego == moved.ego_trail[-1]).all() and moved.ego_trail.shape == state.ego_trail.shape
    assert replace(moved, ego=state.ego, ego_trail=state.ego_trail) == state


@pytest.mark.parametrize("offset", [Offset(0.8, -0.1, 1.5), Offset(-0.5, 0.1, -3.0), Offset(0.0, 0.0, 0.0)])
def test_the_way_there_is_a_drive(offset):
    """Poses, headings and speeds belong together: what is integrated is what is there."""
    scenario = make_scenario(speed=10.0)
    trail = np.stack([scenario.ego.state(frame) for frame in range(16)])
    moved = perturbed_trail(trail, offset, HISTORY, 0.1)
    expected = [15.0, offset.lateral, offset.heading, 10.0 + offset.speed]
    assert moved[-1, :4] == pytest.approx(expected, abs=1e-9)
    assert moved[0, 1:4] == pytest.approx([0.0, 0.0, 10.0], abs=1e-9)
    steps = np.diff(moved[:, :2], axis=0)
    middle = 0.5 * (moved[1:, 2] + moved[:-1, 2])
    assert np.abs(np.arctan2(steps[:, 1], steps[:, 0]) - middle).max() < 0.04
    assert np.hypot(*steps.T) == pytest.approx(0.05 * (moved[1:, 3] + moved[:-1, 3]), abs=0.03)
    assert np.abs(np.diff(moved[:, 2])).max() < 0.1
    change = np.gradient(moved[:, 3], 0.1)
    assert moved[1:-1, 5] == pytest.approx(change[1:-1], abs=1e-9)


def test_more_history_than_asked_for_stays_as_logged():
    scenario = make_scenario(frames=120)
    trail = np.stack([scenario.ego.state(frame) for frame in range(41)])
    moved = perturbed_trail(trail, Offset(1.0, 0.1, 0.0), HISTORY, 0.1)
    assert (moved[:25] == trail[:25]).all() and moved[-1, 1] == pytest.approx(1.0)


def test_a_standing_car_is_turned_too_and_never_goes_backwards():
    trail = np.zeros((16, 11))
    moved = perturbed_trail(trail, Offset(0.3, -0.1, -2.0), HISTORY, 0.1)
    assert moved[-1, :4] == pytest.approx([0.0, 0.3, -0.1, 0.0], abs=1e-9) and (moved[:, 3] == 0.0).all()


def test_the_trail_turns_with_the_world():
    scenario = make_scenario()
    trail = np.stack([scenario.ego.state(frame) for frame in range(16)])
    turned, frame = trail.copy(), np.array([3.0, -4.0, 2.9])
    turned[:, :3] = se2.to_parent(frame, trail[:, :3])
    offset = Offset(0.7, 0.1, -1.0)
    moved = perturbed_trail(turned, offset, HISTORY, 0.1)
    assert se2.to_local(frame, moved[:, :3]) == pytest.approx(
        perturbed_trail(trail, offset, HISTORY, 0.1)[:, :3], abs=1e-9
    )


def beside(y):
    """A car on both sides of the ego."""
    x = 12.0 + 1.461 + 0.0 * np.arange(66)
    side = [np.stack([x, np.full(66, s * y), 0 * x], axis=1) for s in (-1, 1)]
    return make_scenario(agents=make_tracks(np.stack(side)), map=VectorMap({}), route=())


def test_starts_that_touch_somebody_are_drawn_again():
    scenario, params = beside(2.7), RecoveryParams(lateral=1.5, heading=0.0, speed=0.0)
    # Half widths 1.15 and 0.95 leave 0.6 m; 0.3 m are to stay free.
    offsets = [start_of(scenario, params, seed)[1].ego[1] for seed in range(60)]
    assert 0.2 < np.abs(offsets).max() <= 0.3025
    centre = se2.shift_forward(start_of(scenario, params, 3)[1].ego[:3], 1.461)
    own = boxes.corners(centre, 5.176, 2.297)
    others = boxes.corners(scenario.agents.pose[:, 15], 4.6, 1.9)
    assert not boxes.overlap(own[None], others).any()


def test_no_possible_start_is_one_sentence():
    with pytest.raises(ScenarioFormatError, match="straight: each of 5 .* recovery.lateral"):
        start_of(beside(2.45), RecoveryParams(lateral=1.2, heading=0.0, speed=0.0, draws=5), 2)


def test_starts_stay_on_the_road():
    # The right edge of the road is 1.75 m from the lane's middle, the ego's side 1.15 m.
    offsets = [start_of(make_scenario(), RecoveryParams(2.0, 0.0, 0.0), seed)[1].ego[1] for seed in range(60)]
    assert min(offsets) > -0.61 and max(offsets) > 1.5


def test_a_log_off_the_road_is_perturbed_all_the_same():
    pose = np.stack([0.8 * np.arange(66), np.full(66, -20.0), np.zeros(66)], axis=1)
    scenario = make_scenario(ego=EgoTrack(pose, np.tile([8.0, 0.0], (66, 1)), np.zeros((66, 2))))
    state, moved = start_of(scenario)
    assert (state.ego != moved.ego).any()


@dataclass(frozen=True)
class BusyHandle:
    token: str

    def load(self):
        return busy_scenario(self.token)


def test_pdm_closed_drives_back(tmp_path):
    config = compose_run(["ego=recovery", "recovery.lateral=1.0", "seed=3"])
    simulation = Simulation(Protocol(), LqrTracking(), LogReplay)
    settings = WorkerSettings(3, "NR", "navsim_v1")
    worker = Worker(simulation, recovery_source(config), RunDirectory(tmp_path), settings)
    first, last = [], []
    for k in range(6):
        row = worker.run(BusyHandle(f"token_{k}"))
        assert row.error == "" and row.success == 1.0
        states = load_record(tmp_path / "records" / f"token_{k}.npz").ego_states
        first.append(abs(states[0, 1]))
        last.append(abs(states[-1, 1]))
        assert abs(states[-1, 2]) < 0.05
        expected = perturbed_start(
            simulation.episode.scenario,
            simulation.reset(busy_scenario(f"token_{k}")),
            RecoveryParams(heading=math.radians(7.0)),
            scenario_seed(3, f"token_{k}"),
            HISTORY,
        )
        assert (states[0] == expected.ego).all()
    # PDM-Closed may prefer the path one metre beside the centre line that is one of its three.
    assert max(first) > 0.5 and np.median(last) < 0.05 and max(last) < 1.1


def test_who_drives():
    make = recovery_source(compose_run(["ego=recovery"])).make
    simulation = Simulation(Protocol(), LqrTracking(), LogReplay)
    for tags, name in (({}, "PdmClosedPolicy"), ({"source": "builtin"}, "ExpertPolicy")):
        scenario = replace(busy_scenario(), tags=tags)
        simulation.reset(scenario)
        assert type(make(scenario, simulation)).__name__ == name
    forced = recovery_source(compose_run(["ego=recovery", "recovery.driver=pdm_closed"]))
    assert isinstance(forced.make(scenario, simulation), PdmClosedPolicy)


@pytest.mark.parametrize("changes", [{"lateral": -1.0}, {"heading": 2.0}, {"draws": 0}, {"clearance": -0.1}])
def test_senseless_numbers(changes):
    with pytest.raises(ConfigError, match="expected"):
        RecoveryParams(**changes)
