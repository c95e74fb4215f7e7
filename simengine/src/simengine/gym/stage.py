"""Scenarios made ready for episodes, and what stays constant while one runs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simengine.config.build import open_handles
from simengine.errors import ConfigError
from simengine.geometry.se2 import shift_forward
from simengine.gym.settings import EnvSettings
from simengine.map.route import route_lanes
from simengine.metrics.pdm.ego_geometry import ego_geometry
from simengine.metrics.pdm.from_scenario import Reference, logged_reference
from simengine.metrics.pdm.map_areas import DrivableMap, drivable_map
from simengine.metrics.pdm.parameters import parameters_of
from simengine.metrics.pdm.progress import raw_progress
from simengine.pdm_closed.episode import Yardstick, scenario_reference
from simengine.scenario.resample import resample
from simengine.scenario.scenario import Scenario
from simengine.sim.cast import simulated_scenario
from simengine.sim.protocol import Protocol


@dataclass(frozen=True)
class Stage:
    """One scenario, ready to be driven.

    Attributes:
        scenario: at the simulation rate, without whom the protocol leaves out.
        protocol: rates, lengths and rules.
        metric: scoring mode.
        reference: the logged ego, whose progress is rewarded in full.
        reference_progress: [m] over the horizon.
        drivable: polygons on which the ego may stand.
        route_lanes: ids of the lanes of the route.
    """

    scenario: Scenario
    protocol: Protocol
    metric: str
    reference: Reference
    reference_progress: float
    drivable: DrivableMap
    route_lanes: frozenset[str]

    @cached_property
    def yardstick(self) -> Yardstick:
        """What the score measures progress by."""
        return scenario_reference(self.scenario, self.metric, self.protocol.dt, self.protocol.num_steps + 1)


class StageLibrary:
    """The scenarios of a split; the last ones used stay ready.

    Raises:
        ConfigError: there is no such split, or it is empty.
    """

    def __init__(self, settings: EnvSettings) -> None:
        run = settings.run
        self._handles = open_handles(run)
        if not self._handles:
            raise ConfigError(f"the split {settings.split} is empty, expected at least one scenario")
        assert run.metric is not None
        self._metric = run.metric
        self._index = {handle.token: k for k, handle in enumerate(self._handles)}
        self._protocol = settings.protocol
        self._cache_size = settings.cache_size
        self._ready: OrderedDict[int, Stage] = OrderedDict()

    def __len__(self) -> int:
        return len(self._handles)

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens, in order."""
        return tuple(self._index)

    def index_of(self, token: str) -> int:
        """Return the number of a token, or raise `ConfigError`."""
        if token not in self._index:
            raise ConfigError(
                f"the token is {token!r}, expected one of the {len(self)} of this split, such as {self.tokens[0]}"
            )
        return self._index[token]

    def open(self, index: int) -> Stage:
        """Return a scenario, ready to be driven."""
        if index not in self._ready:
            while len(self._ready) >= self._cache_size:
                self._ready.popitem(last=False)
            self._ready[index] = self._make(self._handles[index].load())
        self._ready.move_to_end(index)
        return self._ready[index]

    def _make(self, scenario: Scenario) -> Stage:
        protocol = self._protocol
        scenario = simulated_scenario(resample(scenario, protocol.dt), protocol.rules.absent)
        start = scenario.initial_frame
        reference = logged_reference(scenario, start, protocol.num_steps + 1, protocol.dt)
        ego = ego_geometry(reference.states[None], scenario.vehicle)
        center = shift_forward(scenario.ego.pose[start], scenario.vehicle.rear_axle_to_center)[:2]
        radius = parameters_of(self._metric).map_radius
        return Stage(
            scenario,
            protocol,
            self._metric,
            reference,
            float(raw_progress(ego, np.asarray(reference.centerline))[0]),
            drivable_map(scenario.map, center, radius),
            frozenset(route_lanes(scenario.map, scenario.route)),
        )
