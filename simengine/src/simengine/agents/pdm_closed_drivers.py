"""Drivers who plan by PDM-Closed, each for itself, ten times a second.

Every one follows its own path, knows everybody's present and nobody's future, and takes lights and stop signs that
must not be passed for barriers. What its car does next follows from the plan by the LQR tracker and the kinematic
bicycle; a frame of agents holds no acceleration, so theirs have no lag.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simengine.agents.driving import locate
from simengine.agents.paths import PathSet
from simengine.agents.roster import Roster
from simengine.agents.signals import has_stopped
from simengine.agents.waits import closed_places
from simengine.datatypes.agents import AgentStates, AgentType
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.map import VectorMap
from simengine.datatypes.state import SimState
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.bicycle import ACCELERATION_TIME_CONSTANT, MAX_STEERING_ANGLE
from simengine.errors import ConfigError
from simengine.geometry import polyline, se2
from simengine.geometry.angles import wrap
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.parameters import FRESH_PDM_CLOSED, PdmClosedParameters
from simengine.pdm_closed.planner import plan_pdm_closed
from simengine.pdm_closed.roads import LINE_NAME, RoadNetwork, line_network
from simengine.scenario.scenario import Scenario

BEHIND, AHEAD, LINE_STEP = 15.0, 130.0, 2.0
BARRIER = (0.4, 3.0, 1.0)
# Below this speed the steering angle cannot be told from how the box centre moves; that of the path is taken.
STEERING_SPEED = 0.5
MAX_LATERAL_ACCELERATION = 4.0
MAX_BRAKING = 6.0


class PdmClosedDrivers:
    """See `reactive.Drivers`.

    Args:
        scenario: the scenario at the simulation rate, which has to be 10 Hz.
        roster: who drives along which path.
        paths: the paths of the roster.
        parameters: how to plan.

    Raises:
        ConfigError: the scenario has another rate.
    """

    def __init__(
        self,
        scenario: Scenario,
        roster: Roster,
        paths: PathSet,
        parameters: PdmClosedParameters = FRESH_PDM_CLOSED,
    ) -> None:
        if abs(scenario.dt - parameters.dt) > 1e-9:
            raise ConfigError(
                f"PDM-Closed agents at a time step of {scenario.dt} s, expected {parameters.dt} s: leave protocol.dt "
                "out, or drive agents by idm"
            )
        self._scenario, self._roster, self._paths, self._parameters = scenario, roster, paths, parameters
        size = scenario.agents.size
        self._cars = [VehicleParams.from_box(*map(float, box)) for box in size]
        # Ties between equally near others are decided by this order, not by that of the file.
        self._order = np.argsort(np.array(scenario.agents.ids, dtype=object), kind="stable")

    def move(self, state: SimState, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `reactive.Drivers.move`."""
        row = self._roster.path_row[who]
        s, _ = locate(self._paths.flat, row, state.agents.pose[who])
        pose, velocity = np.empty((len(who), 3)), np.empty((len(who), 2))
        for k, agent in enumerate(who):
            pose[k], velocity[k] = self._next(state, int(agent), int(row[k]), float(s[k]))
        return pose, velocity

    def _next(self, state: SimState, agent: int, row: int, s: float) -> tuple[np.ndarray, np.ndarray]:
        car = self._cars[agent]
        own = self._car_state(state, agent, row, s)
        given = PdmClosedInput(
            self._road(row, s), (LINE_NAME,), own, self._others(state, agent, row, s), (), car
        )
        after = plan_pdm_closed(given, self._parameters).states[1]
        return _without_lag(own, after, car, self._parameters.dt)

    def _car_state(self, state: SimState, agent: int, row: int, s: float) -> np.ndarray:
        """The state (11,) of one agent as that of a car.

        A box centre that moves across its own heading tells the yaw rate, and that the steering angle.
        """
        car, pose, velocity = self._cars[agent], state.agents.pose[agent], state.agents.velocity[agent]
        forward, left = se2.rotate(velocity, -pose[2])
        speed = max(float(forward), 0.0)
        own = np.zeros(STATE_SIZE)
        own[:3] = se2.shift_forward(pose, -car.rear_axle_to_center)
        own[StateIndex.VELOCITY_X] = speed
        if speed > STEERING_SPEED:
            turn = float(
                np.clip(
                    left / car.rear_axle_to_center, *np.array([-1.0, 1.0]) * MAX_LATERAL_ACCELERATION / speed
                )
            )
            steering = np.arctan(car.wheel_base * turn / speed)
        else:
            near = self._paths.pose(np.array([row, row]), np.array([s - 1.0, s + 1.0]))
            steering = np.arctan(car.wheel_base * 0.5 * float(wrap(near[1, 2] - near[0, 2])))
        own[StateIndex.STEERING_ANGLE] = np.clip(steering, -MAX_STEERING_ANGLE, MAX_STEERING_ANGLE)
        own[StateIndex.ANGULAR_VELOCITY] = speed * np.tan(own[StateIndex.STEERING_ANGLE]) / car.wheel_base
        return own

    def _road(self, row: int, s: float) -> RoadNetwork:
        """The stretch of its path around a driver as a road of one lane, with the speed limit there."""
        at = np.arange(s - BEHIND, s + AHEAD, LINE_STEP)
        at = at[at > -LINE_STEP]
        line = polyline.drop_repeated(self._paths.pose(np.full(len(at), row), at)[:, :2], 1e-3)
        limit = float(self._paths.limit(np.array([row]), np.array([s]))[0])
        roads = line_network(
            line, self._scenario.map if self._scenario.map.has_drivable_area else VectorMap()
        )
        lane = replace(roads.lanes[LINE_NAME], speed_limit=limit)
        return RoadNetwork(roads.vector_map, {LINE_NAME: lane}, roads.blocks)

    def _others(self, state: SimState, agent: int, row: int, s: float) -> AgentStates:
        """Everybody else, the ego among them, and a barrier wherever the path must not be driven on."""
        scenario, agents, ego = self._scenario, state.agents, state.ego
        tracks, car = scenario.agents, scenario.vehicle
        minded = agents.present & ~self._roster.ignore[agent, :-1]
        minded[agent] = False
        index = self._order[minded[self._order]]
        barriers = self._barriers(state, agent, row, s)
        centre = se2.shift_forward(ego[None, :3], car.rear_axle_to_center)
        forward = ego[StateIndex.VELOCITY_X] * np.array([[np.cos(ego[2]), np.sin(ego[2])]])
        count = len(barriers)
        return AgentStates(
            (*(tracks.ids[i] for i in index), "ego", *(f"barrier_{k}" for k in range(count))),
            np.concatenate(
                [tracks.types[index], [int(AgentType.VEHICLE)], np.full(count, int(AgentType.BARRIER))]
            ).astype(np.int8),
            np.concatenate([agents.pose[index], centre, barriers]),
            np.concatenate([agents.velocity[index], forward, np.zeros((count, 2))]),
            np.concatenate(
                [tracks.size[index], [[car.length, car.width, car.height]], np.tile(BARRIER, (count, 1))]
            ),
        )

    def _barriers(self, state: SimState, agent: int, row: int, s: float) -> np.ndarray:
        """Poses (B, 3) across the path where a light, a sign or the log make it wait."""
        roster, car = self._roster, self._cars[agent]
        rows, at = closed_places(
            roster.signals, roster.waits, self._scenario.lights, state.frame, self._scenario.dt
        )
        speed = float(np.hypot(*state.agents.velocity[agent]))
        signs = [
            place
            for place in roster.signs.s[roster.signs.row == row]
            if not has_stopped(place - s - 0.5 * car.length, speed)
        ]
        places = np.concatenate([at[rows == row], signs])
        distance = places - s - 0.5 * car.length
        stoppable = speed**2 < 2.0 * np.maximum(distance, 0.5) * self._parameters.max_deceleration
        places = places[(distance > -0.5) & stoppable]
        return self._paths.pose(np.full(len(places), row), places)


def _without_lag(
    own: np.ndarray, after: np.ndarray, car: VehicleParams, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return box centre (3,) and its velocity (2,) after a step whose acceleration was reached at once."""
    # The bicycle has turned a share of the command into acceleration, starting from none.
    share = dt / (dt + ACCELERATION_TIME_CONSTANT)
    command = max(float(after[StateIndex.ACCELERATION_X]) / share, -MAX_BRAKING)
    speed = max(float(own[StateIndex.VELOCITY_X]) + command * dt, 0.0)
    pose = se2.shift_forward(after[:3], car.rear_axle_to_center)
    if own[StateIndex.VELOCITY_X] == 0.0:
        pose = se2.shift_forward(own[:3], car.rear_axle_to_center)
    turn = speed * np.tan(after[StateIndex.STEERING_ANGLE]) / car.wheel_base
    c, s = np.cos(pose[2]), np.sin(pose[2])
    sideways = turn * car.rear_axle_to_center
    return pose, np.array([speed * c - sideways * s, speed * s + sideways * c])
