"""The reference of progress at one instant: PDM-Closed from what it sees there, or the logged ego."""

from __future__ import annotations

from simengine.metrics.pdm.from_scenario import Reference, logged_reference
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.planner import plan_pdm_closed
from simengine.pdm_closed.reference import tracked_states
from simengine.rewards.modes import DT, NUM_STATES, RewardRules
from simengine.rewards.moment import Moment
from simengine.rewards.place import Place


def progress_reference(place: Place, moment: Moment, rules: RewardRules) -> Reference:
    """Return whose progress from `moment` on is full progress, and along which line it counts.

    Without a route and with a logged ego that stands there is no path for PDM-Closed; then it is the logged ego,
    whose states may end early.
    """
    if place.roads is None:
        scenario = place.scenario
        frame = _frame_at(place, moment.time_us)
        return logged_reference(scenario, frame, NUM_STATES, DT)
    given = PdmClosedInput(
        place.roads, place.route, moment.ego, moment.seen, moment.red_lanes, place.scenario.vehicle
    )
    result = plan_pdm_closed(given, rules.reference)
    states = result.states
    if not rules.published:
        states = tracked_states(result, given, moment.time_us, rules.scoring)
    lanes = frozenset(result.guidance.route_lanes)
    return Reference(states, result.guidance.centerline, lanes, place.source)


def _frame_at(place: Place, time_us: int) -> int:
    return int(abs(place.scenario.timestamps_us - time_us).argmin())
