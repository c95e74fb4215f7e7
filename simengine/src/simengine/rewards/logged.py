"""Open loop: instants of a log, where the others do what they did."""

from __future__ import annotations

from simengine.metrics.pdm.from_scenario import initial_state, logged_future
from simengine.pdm_closed.inputs import logged_agents
from simengine.rewards.modes import DT, RewardRules
from simengine.rewards.moment import Moment, log_ends_early
from simengine.rewards.published import PublishedLog
from simengine.scenario.scenario import Scenario

OBSERVED = 5.0
"""How far NAVSIM's observation of the others reaches [s]."""


def logged_moment(scenario: Scenario, rules: RewardRules) -> Moment:
    """Return the instant of the first decision of a scenario, at its own rate, with the logged future.

    The others move as in `logged_future`.
    """
    if rules.published:
        return PublishedLog(scenario).moment(0, scenario.ego.state(scenario.initial_frame))
    frame = scenario.initial_frame
    return Moment(
        scenario.token,
        0,
        int(scenario.timestamps_us[frame]),
        initial_state(scenario, frame, rules.scoring),
        logged_future(scenario, OBSERVED, DT, rules.scoring.lone_detections_vanish),
        logged_agents(scenario, frame),
        tuple(scenario.lights.red_lanes(frame)),
        log_ends_early((scenario.num_frames - 1 - frame) * scenario.dt, rules.num_frames),
    )
