"""Whether a scenario can be survived, and whether one has to look: two drivers, driven and scored.

The privileged one is `ExpertPolicy`, which knows what the others will do. The naive one keeps his lane and his
speed. Both drive the closed loop of the `navsim` protocol through the LQR tracker and the kinematic bicycle, once with
replayed (`NR`) and once with reactive traffic (`R`), and are scored as any planner is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simengine.agents.expert import ExpertPolicy
from simengine.agents.policy import EgoPolicy
from simengine.agents.simple import LaneSpeedPolicy
from simengine.datatypes.plan import Plan
from simengine.metrics.episode import EpisodeScore, score_record
from simengine.scenario.scenario import Scenario
from simengine.sim.loop import Simulation
from simengine.sim.observe import command_line
from simengine.sim.protocol import NAVSIM
from simengine.sim.record import make_record

TRAFFIC = tuple(NAVSIM.rules.traffic)
COLLISION = "no_at_fault_collisions"

MakePolicy = Callable[[Scenario, Simulation], EgoPolicy]


@dataclass(frozen=True)
class Verdict:
    """How one driver got on.

    Attributes:
        success: no at-fault collision and never off the road.
        score: the PDM score.
        time: of the first failure, after the first decision [s]; None without one.
        whom: the track he hit first, "" if he hit none or left the road before.
    """

    success: bool
    score: float
    time: float | None
    whom: str

    def to_json(self) -> dict:
        """Return the verdict as JSON values."""
        if self.success:
            return {"success": True, "score": round(self.score, 4)}
        return {"success": False, "failed_s": self.time, "whom": self.whom}


def make_expert(scenario: Scenario, simulation: Simulation) -> EgoPolicy:
    """Return the privileged driver."""
    return ExpertPolicy(scenario, simulation.episode.traffic)


def make_naive(scenario: Scenario, simulation: Simulation) -> EgoPolicy:
    """Return the driver who keeps his lane and his speed."""
    return LaneSpeedPolicy(command_line(scenario))


def try_driver(scenario: Scenario, traffic: str, make_policy: MakePolicy) -> Verdict:
    """Return how a driver gets on in `scenario` with `traffic` (`NR` or `R`)."""
    rules = NAVSIM.rules
    simulation = Simulation(NAVSIM, rules.trackers["lqr"](), rules.traffic[traffic])
    state = simulation.reset(scenario)
    policy, protocol = make_policy(scenario, simulation), simulation.protocol
    plans: list[Plan] = []
    while len(plans) < protocol.num_decisions:
        plans.append(policy.plan(None, state))
        last = len(plans) == protocol.num_decisions
        state = simulation.finish(state, plans[-1]) if last else simulation.step(state, plans[-1])
    commands = np.zeros(len(plans), np.int8).tolist()
    record = make_record(state, scenario, protocol, plans, commands, traffic, 0)
    return _verdict(score_record(record, scenario))


def _verdict(score: EpisodeScore) -> Verdict:
    if score.success:
        return Verdict(True, score.score, None, "")
    time = score.first_violation_time
    hit = [
        blame.agent_id
        for blame in score.blames
        if blame.sub_score == COLLISION and abs(blame.time - time) < 1e-6
    ]
    return Verdict(False, score.score, round(time, 2), hit[0] if hit else "")


def solvable(scenario: Scenario) -> dict[str, Verdict] | None:
    """Return how the privileged driver gets on by traffic mode, or None if he fails in one."""
    return _by_traffic(scenario, make_expert, lambda verdict: verdict.success)


def rare(scenario: Scenario, earliest: float, guilty: tuple[str, ...]) -> dict[str, Verdict] | None:
    """Return how the naive driver fails by traffic mode, or None if he does not fail in each.

    Args:
        scenario: the finished log.
        earliest: sooner than this after the first decision nobody could react [s].
        guilty: tracks with a part in the event; his first failure has to be a collision with one of them.
    """
    return _by_traffic(
        scenario,
        make_naive,
        lambda verdict: verdict.time is not None and verdict.time >= earliest and verdict.whom in guilty,
    )


def _by_traffic(
    scenario: Scenario, make_policy: MakePolicy, wanted: Callable[[Verdict], bool]
) -> dict[str, Verdict] | None:
    verdicts = {}
    for traffic in TRAFFIC:
        verdicts[traffic] = try_driver(scenario, traffic, make_policy)
        if not wanted(verdicts[traffic]):
            return None
    return verdicts
