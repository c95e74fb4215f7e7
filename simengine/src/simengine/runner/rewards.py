"""Computes the rewards of a vocabulary at every decision of an episode and writes them."""

from __future__ import annotations

import numpy as np

from simengine.agents.traffic import TrafficModel
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.datatypes.trust import RenderTrust
from simengine.dynamics.tracking import Tracker
from simengine.metrics.pdm.from_scenario import initial_state
from simengine.pdm_closed.inputs import present_agents
from simengine.rewards.imitation import Imitation, nearest_entry, published_entry
from simengine.rewards.moment import Moment, log_ends_early
from simengine.rewards.pdms_pkl import pdms_pkl_name, scenario_id, write_pdms_pkl
from simengine.rewards.place import place_of
from simengine.rewards.published import LOG_DT, PublishedLog
from simengine.rewards.reward_file import save_rewards
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.scores import VocabularyScores
from simengine.runner.run_directory import RunDirectory
from simengine.runner.simulated_traffic import simulated_tracks, states_on_plan
from simengine.scenario.scenario import Scenario

FORMATS = ("native", "pdms_pkl", "both")


class RewardRecorder:
    """Makes the rewards of one episode after another.

    Args:
        scorer: vocabulary and mode.
        tracker: how the ego follows its plans, since the others react to it.
        formats: one of `FORMATS`.
    """

    def __init__(self, scorer: VocabularyScorer, tracker: Tracker, formats: str = "native") -> None:
        self._scorer, self._tracker, self._formats = scorer, tracker, formats

    def start(self, scenario: Scenario, traffic: TrafficModel) -> EpisodeRewards:
        """Return the rewards of an episode in `scenario`, none yet."""
        return EpisodeRewards(self._scorer, self._tracker, self._formats, scenario, traffic)


class EpisodeRewards:
    """Rewards of the decisions of one episode, in order."""

    def __init__(
        self,
        scorer: VocabularyScorer,
        tracker: Tracker,
        formats: str,
        scenario: Scenario,
        traffic: TrafficModel,
    ) -> None:
        self._scorer, self._tracker, self._formats = scorer, tracker, formats
        self._scenario, self._traffic = scenario, traffic
        self._place = place_of(scenario)
        self._published = PublishedLog(scenario) if scorer.rules.published else None
        self._scores: list[VocabularyScores] = []
        self._imitations: list[Imitation] = []

    def add(self, state: SimState, plan: Plan) -> None:
        """Score the vocabulary at a decision.

        Args:
            state: before anyone moves.
            plan: what the ego has decided.
        """
        step, vocabulary = len(self._scores), self._scorer.vocabulary
        if self._published is not None:
            moment = self._published.moment(step, state.ego)
            imitation = published_entry(vocabulary, self._published, step, state.ego[:3])
        else:
            moment = self._simulated_moment(step, state, plan)
            imitation = nearest_entry(vocabulary, self._scenario, state.timestamp_us, state.ego[:3])
        self._scores.append(self._scorer.score(self._place, moment))
        self._imitations.append(imitation)

    def finish(self, final: SimState, plan: Plan) -> None:
        """Score the vocabulary once more where the episode ends, as the published rewards do; else do nothing.

        Args:
            final: state at or after the end, with its trails.
            plan: the last one.
        """
        if self._published is not None:
            frame = self._scenario.initial_frame + round(len(self._scores) * LOG_DT / self._scenario.dt)
            self.add(_at_frame(final, frame, self._scenario), plan)

    def save(self, directory: RunDirectory, trust: RenderTrust | None = None) -> None:
        """Write the rewards into a run folder, in the formats asked for.

        Args:
            directory: the folder.
            trust: in the images of the decisions, kept beside their rewards in the native format.
        """
        if self._formats != "pdms_pkl":
            path = directory.rewards(self._scenario.token)
            labels = {} if trust is None else {"trust": self._trust_of_steps(trust)}
            save_rewards(path, self._scores, self._scorer.vocabulary, self._imitations, **labels)
        if self._formats != "native":
            name = scenario_id(self._scenario)
            for scores, imitation in zip(self._scores, self._imitations, strict=True):
                path = directory.pdms_pkl / pdms_pkl_name(name, scores.step)
                path.unlink(missing_ok=True)
                write_pdms_pkl(directory.pdms_pkl, name, scores, imitation)

    def _trust_of_steps(self, trust: RenderTrust) -> list[float | None]:
        """Return the trust in each step's images; nobody decides where an episode ends, so None there."""
        known: list[float | None] = [round(float(value), 6) for value in trust.lowest]
        return known[: len(self._scores)] + [None] * (len(self._scores) - len(known))

    def _simulated_moment(self, step: int, state: SimState, plan: Plan) -> Moment:
        """The simulated traffic, what is seen now, and the true state of the ego."""
        scenario, rules = self._scenario, self._scorer.rules
        missing = log_ends_early((scenario.num_frames - 1 - state.frame) * scenario.dt, rules.num_frames)
        ego_states = states_on_plan(
            scenario, self._tracker, state, plan, 1 if missing else rules.num_frames - 1
        )
        agents, lights = state.agents, scenario.lights
        is_logged = state.frame == scenario.initial_frame and np.array_equal(
            state.ego[:3], scenario.ego.pose[state.frame]
        )
        return Moment(
            scenario.token,
            step,
            state.timestamp_us,
            initial_state(scenario, state.frame, rules.scoring) if is_logged else state.ego,
            simulated_tracks(scenario, self._traffic, state, ego_states),
            present_agents(scenario, agents.pose, agents.velocity, agents.present),
            tuple(lights.red_lanes(min(state.frame, lights.state.shape[1] - 1))),
            missing,
        )


def _at_frame(final: SimState, frame: int, scenario: Scenario) -> SimState:
    """Return the state at an earlier frame of the same episode."""
    back = final.frame - frame
    return SimState(
        frame,
        final.timestamp_us - round(back * scenario.dt * 1e6),
        final.ego_trail[frame],
        final.agent_trail[frame - scenario.initial_frame],
        np.asarray(final.ego_trail[: frame + 1]),
        final.agent_trail[: frame - scenario.initial_frame + 1],
    )
