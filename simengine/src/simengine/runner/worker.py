"""One worker: drives scenarios through the closed loop and leaves their results on disk."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from simengine.agents.policy import EgoPolicy
from simengine.datatypes.plan import Plan
from simengine.datatypes.record_io import save_record
from simengine.datatypes.state import SimState
from simengine.errors import PlannerTimeoutError
from simengine.export.openscene import OpenSceneRecorder
from simengine.metrics.row import ScoreRow, failed_row, row_of
from simengine.pdm_closed.episode import score_episode
from simengine.render.jpeg import JpegPool
from simengine.render.trust.meter import TrustMeter
from simengine.runner.handle import Handle
from simengine.runner.observations import ObservationCollector
from simengine.runner.prefetch import Prefetch
from simengine.runner.rewards import RewardRecorder
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
        simulation, settings = self._simulation, self._settings
        state = simulation.reset(self._ahead.load(handle))
        self._ahead.begin(following)
        scenario, labels = simulation.episode.scenario, self._labels(handle.token)
        state = self._policies.start(simulation, state, labels["seed"])
        policy = self._policies.make(scenario, simulation)
        collector = ObservationCollector(settings.record_cameras, self._pool)
        rewards = self._rewards and self._rewards.start(simulation.episode.logged, simulation.episode.traffic)
        frames = self._openscene and self._openscene.start(
            scenario, simulation, getattr(handle, "path", None)
        )
        trust = self._trust and self._trust.start(scenario, simulation.cameras)
        plans: list[Plan] = []
        try:
            for _ in range(simulation.protocol.num_decisions):
                self._ahead.poll()
                observation = simulation.observe(state)
                plan = policy.plan(observation, state)
                collector.add(observation)
                if trust:
                    trust.add(state.ego[:3], simulation.present_agents(state), state.frame)
                plans.append(plan)
                if rewards:
                    rewards.add(state, plan)
                if frames:
                    frames.add(state, observation, plan)
                is_last = len(plans) == simulation.protocol.num_decisions
                state = simulation.finish(state, plan) if is_last else simulation.step(state, plan)
            if frames:
                frames.finish(state, policy if self._policies.plans_at_end else None)
        finally:
            self._policies.finish(scenario.token)
        measured = trust.finish() if trust else None
        if rewards:
            rewards.finish(state, plans[-1])
            rewards.save(self._directory, measured)
        record = make_record(
            state,
            scenario,
            simulation.protocol,
            plans,
            collector.commands,
            labels["traffic"],
            labels["seed"],
            measured,
        )
        if settings.keep_records:
            save_record(record, self._directory.record(handle.token))
        log = collector.finish(record, state.ego_trail[scenario.initial_frame :])
        if log is not None:
            log.save(self._directory.observations(handle.token))
        if frames:
            frames.save(handle.token)
        if settings.metric:
            return row_of(record, score_episode(record, scenario, settings.metric))
        return ScoreRow(handle.token, "ok", record_hash=record.content_hash(), **labels)


def lost_its_planner(row: ScoreRow) -> bool:
    """Return whether a scenario failed only because its planner went away, so that another try may succeed."""
    return row.status == "failed" and row.error.startswith(f"{PlannerTimeoutError.__name__}:")


def scenario_seed(run_seed: int, token: str) -> int:
    """Return the seed of one scenario: a function of run seed and token only, not of order or worker."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}:{token}".encode()).digest()[:4], "big")
