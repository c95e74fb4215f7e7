"""One worker: drives scenarios through the closed loop and leaves their results on disk."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from simengine.agents.policy import EgoPolicy
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.record_io import save_record
from simengine.datatypes.state import SimState
from simengine.errors import PlannerTimeoutError
from simengine.export.openscene import EpisodeFrames, OpenSceneRecorder
from simengine.metrics.row import ScoreRow, failed_row, row_of
from simengine.pdm_closed.episode import score_episode
from simengine.render.jpeg import JpegPool
from simengine.render.trust.meter import EpisodeTrust, TrustMeter
from simengine.runner.handle import Handle
from simengine.runner.observations import ObservationCollector
from simengine.runner.prefetch import Prefetch
from simengine.runner.rewards import EpisodeRewards, RewardRecorder
from simengine.runner.run_directory import RunDirectory
from simengine.scenario.scenario import Scenario
from simengine.sim.loop import Simulation
from simengine.sim.record import make_record


@dataclass
class WorkerSettings:
    """What a worker does besides driving.

    Attributes:
        seed: seed of the run.
        traffic: `NR` or `R`.
        metric: scoring mode, "" to record without scoring.
        record_cameras: channels whose images are kept, None for all.
        keep_records: whether to write rollout records.
        prefetch: whether to load the scenario that is likely to be next while one is driven.
    """

    seed: int
    traffic: str
    metric: str
    record_cameras: tuple[str, ...] | None = ()
    keep_records: bool = True
    prefetch: bool = False


@dataclass(frozen=True)
class PolicySource:
    """Where ego policies come from.

    Attributes:
        make: returns the policy of one scenario, given the scenario and the simulation it is reset in.
        finish: called with the token when a scenario is over, however it ended.
        close: releases what the policies share.
        start: returns where the first decision is taken, given the simulation, its logged state and the seed of the
            episode.
        plans_at_end: whether policies may be asked for a plan after the last decision.
        device_images: whether policies take images as tensors on the renderer's device.
    """

    make: Callable[[Scenario, Simulation], EgoPolicy]
    finish: Callable[[str], None] = lambda token: None
    close: Callable[[], None] = lambda: None
    start: Callable[[Simulation, SimState, int], SimState] = lambda simulation, state, seed: state
    plans_at_end: bool = True
    device_images: bool = False


class Worker:
    """Drives scenarios one by one; everything it needs is given to it."""

    def __init__(
        self,
        simulation: Simulation,
        policies: PolicySource,
        directory: RunDirectory,
        settings: WorkerSettings,
        rewards: RewardRecorder | None = None,
        openscene: OpenSceneRecorder | None = None,
        trust: TrustMeter | None = None,
    ) -> None:
        self._simulation = simulation
        self._policies = policies
        self._directory = directory
        self._settings = settings
        self._rewards = rewards
        self._openscene = openscene
        self._trust = trust
        self._pool = JpegPool()
        self._ahead = Prefetch(simulation.prefetch)

    def close(self) -> None:
        """Release connections and threads."""
        self._policies.close()
        self._pool.close()
        self._ahead.close()

    def run(self, handle: Handle, following: Handle | None = None) -> ScoreRow:
        """Return the row of one scenario; whatever goes wrong in it becomes a failed row.

        `following` is a guess at the scenario after it, which may be loaded meanwhile.

        This is the one place that catches everything: one broken scenario must not end a run.
        """
        try:
            row = self._drive(handle, following if self._settings.prefetch else None)
            self._directory.failure(handle.token).unlink(missing_ok=True)
        except Exception as error:  # noqa: BLE001
            self._directory.write(self._directory.failure(handle.token), traceback.format_exc())
            row = failed_row(handle.token, f"{type(error).__name__}: {error}", **self._labels(handle.token))
        self._directory.save_row(row)
        return row

    def _labels(self, token: str) -> dict:
        return {
            "mode": self._settings.metric,
            "protocol": self._simulation.protocol.name,
            "traffic": self._settings.traffic,
            "seed": scenario_seed(self._settings.seed, token),
        }

    def _drive(self, handle: Handle, following: Handle | None) -> ScoreRow:
        simulation = self._simulation
        state = simulation.reset(self._ahead.load(handle))
        self._ahead.begin(following)
        scenario = simulation.episode.scenario
        state = self._policies.start(simulation, state, self._labels(handle.token)["seed"])
        policy = self._policies.make(scenario, simulation)
        watchers = self._watchers(handle)
        plans: list[Plan] = []
        try:
            for _ in range(simulation.protocol.num_decisions):
                self._ahead.poll()
                observation = simulation.observe(state)
                plan = policy.plan(observation, state)
                watchers.add(simulation, state, observation, plan)
                plans.append(plan)
                is_last = len(plans) == simulation.protocol.num_decisions
                state = simulation.finish(state, plan) if is_last else simulation.step(state, plan)
            if watchers.frames:
                watchers.frames.finish(state, policy if self._policies.plans_at_end else None)
        finally:
            self._policies.finish(scenario.token)
        return self._leave(handle.token, state, plans, watchers)

    def _watchers(self, handle: Handle) -> _Watchers:
        simulation, episode = self._simulation, self._simulation.episode
        return _Watchers(
            ObservationCollector(self._settings.record_cameras, self._pool),
            self._rewards and self._rewards.start(episode.logged, episode.traffic),
            self._openscene
            and self._openscene.start(episode.scenario, simulation, getattr(handle, "path", None)),
            self._trust and self._trust.start(episode.scenario, simulation.cameras),
        )

    def _leave(self, token: str, state: SimState, plans: list[Plan], watchers: _Watchers) -> ScoreRow:
        """Write what is kept of a drive and return its row."""
        settings, scenario, labels = self._settings, self._simulation.episode.scenario, self._labels(token)
        measured = watchers.trust.finish() if watchers.trust else None
        if watchers.rewards:
            watchers.rewards.finish(state, plans[-1])
            watchers.rewards.save(self._directory, measured)
        record = make_record(
            state,
            scenario,
            self._simulation.protocol,
            plans,
            watchers.observations.commands,
            labels["traffic"],
            labels["seed"],
            measured,
        )
        if settings.keep_records:
            save_record(record, self._directory.record(token))
        log = watchers.observations.finish(record, state.ego_trail[scenario.initial_frame :])
        if log is not None:
            log.save(self._directory.observations(token))
        if watchers.frames:
            watchers.frames.save(token)
        if settings.metric:
            return row_of(record, score_episode(record, scenario, settings.metric))
        return ScoreRow(token, "ok", record_hash=record.content_hash(), **labels)


@dataclass(frozen=True)
class _Watchers:
    """What looks on while one scenario is driven.

    Attributes:
        observations: keeps images and commands.
        rewards: scores the vocabulary, None if nobody asked.
        frames: makes training data, likewise.
        trust: measures how far images can be trusted, likewise.
    """

    observations: ObservationCollector
    rewards: EpisodeRewards | None
    frames: EpisodeFrames | None
    trust: EpisodeTrust | None

    def add(self, simulation: Simulation, state: SimState, observation: Observation, plan: Plan) -> None:
        """Look at one decision, before it is driven."""
        self.observations.add(observation)
        if self.trust:
            self.trust.add(state.ego[:3], simulation.present_agents(state), state.frame)
        if self.rewards:
            self.rewards.add(state, plan)
        if self.frames:
            self.frames.add(state, observation, plan)


def lost_its_planner(row: ScoreRow) -> bool:
    """Return whether a scenario failed only because its planner went away, so that another try may succeed."""
    return row.status == "failed" and row.error.startswith(f"{PlannerTimeoutError.__name__}:")


def scenario_seed(run_seed: int, token: str) -> int:
    """Return the seed of one scenario: a function of run seed and token only, not of order or worker."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}:{token}".encode()).digest()[:4], "big")
