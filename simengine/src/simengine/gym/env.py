"""One closed loop as a Gymnasium environment."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import gymnasium
import numpy as np

from simengine.config.protocols import traffic_model
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.errors import ConfigError
from simengine.gym.actions import make_actions
from simengine.gym.birdseye import draw_birdseye
from simengine.gym.observations import make_observations
from simengine.gym.rewards import RewardMeter, RewardTerms
from simengine.gym.settings import make_settings
from simengine.gym.stage import Stage, StageLibrary
from simengine.metrics.episode import SUB_SCORES, EpisodeScore
from simengine.pdm_closed.episode import score_episode
from simengine.render.build import make_backend
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import CHANNELS, nuplan_rig
from simengine.sim.loop import Simulation
from simengine.sim.record import make_record


@dataclass
class _Episode:
    """A run in progress."""

    stage: Stage
    state: SimState
    seen: Observation
    meter: RewardMeter
    plans: list[Plan] = field(default_factory=list)
    commands: list[int] = field(default_factory=list)
    ended: bool = False


class ClosedLoopEnv(gymnasium.Env):
    """Drives the ego of one scenario after another; one step is one decision.

    `reset(seed=...)` draws a scenario of the split, the same for the same seed; `reset(options={"token": ...})` names
    one. Nothing else is random. An episode is `terminated` by a collision at fault or by leaving the road (unless told
    otherwise) and `truncated` at the horizon; its last `info` holds sub-scores, `score` and `is_success`.

    Args:
        render_mode: None or `rgb_array`.
        **settings: see `EnvSettings`; `protocol`, `reward` and `control` may be dictionaries, `protocol` a name.

    Raises:
        ConfigError: a setting is unknown or makes no sense.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012 - the name is Gymnasium's

    def __init__(self, render_mode: str | None = None, **settings: Any) -> None:
        self._settings = make_settings(settings)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode is {render_mode!r}, expected None or rgb_array")
        self.render_mode = render_mode
        self._library = StageLibrary(self._settings)
        self._actions = make_actions(self._settings)
        self._observations = make_observations(self._settings)
        self.action_space = self._actions.space
        self.observation_space = self._observations.space
        self._simulation = self._make_simulation()
        self._run: _Episode | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """Tokens of the split, any of which `reset` may be given."""
        return self._library.tokens

    @property
    def simulation(self) -> Simulation:
        """The loop underneath."""
        return self._simulation

    @property
    def state(self) -> SimState:
        """The state of the world now."""
        return self._current().state

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Return the first observation of a scenario and `info`.

        Raises:
            ConfigError: the token is not in the split, or an option is unknown.
        """
        super().reset(seed=seed)
        options = dict(options or {})
        token = options.pop("token", None)
        if options:
            raise ConfigError(f"the option {next(iter(options))!r} is not known, expected token")
        index = (
            int(self.np_random.integers(len(self._library)))
            if token is None
            else self._library.index_of(str(token))
        )
        stage = self._library.open(index)
        state = self._simulation.reset(stage.scenario)
        seen = self._observe(state)
        self._run = _Episode(stage, state, seen, RewardMeter(stage, self._settings.reward, state))
        return self._read(self._run), {"token": stage.scenario.token}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Follow `action` for one decision interval.

        Raises:
            ResetNeeded: the episode has ended, or none has begun.
            PlanError: the action is malformed.
        """
        run = self._current()
        if run.ended:
            raise gymnasium.error.ResetNeeded(
                f"the episode of {run.stage.scenario.token} has ended, expected reset before another step"
            )
        plan = self._actions.plan(action, run.state.ego, run.stage.scenario.vehicle)
        before, run.state = run.state, self._simulation.step(run.state, plan)
        run.plans.append(plan)
        run.commands.append(int(run.seen.command_history[-1]))
        terms = run.meter.measure(run.state, lambda: self._score(run, run.state).no_at_fault_collisions < 1.0)
        run.seen = self._observe(run.state)
        terminated = self._settings.terminate_on_violation and run.meter.violated
        truncated = not terminated and len(run.plans) == self._settings.protocol.num_decisions
        info: dict[str, Any] = {"token": run.stage.scenario.token}
        if terminated or truncated:
            run.ended = True
            score = self._score(run, self._simulation.finish(before, plan))
            terms = replace(terms, score=run.meter.score(score.score).score)
            info |= _final(score)
        info["reward_terms"] = asdict(terms)
        return self._read(run), float(terms.total), terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """Return a picture (H, W, 3) uint8 RGB of the present, None without a render mode."""
        if self.render_mode is None:
            return None
        run = self._current()
        if self._settings.view == "birdseye":
            return draw_birdseye(run.state, run.stage)
        front = self._settings.cameras[0]
        seen = run.seen if front in run.seen.images else self._simulation.observe(run.state)
        return seen.images[front].copy()

    def close(self) -> None:
        """Drop the scenarios."""
        self._run = None

    def _current(self) -> _Episode:
        if self._run is None:
            raise gymnasium.error.ResetNeeded("no episode has begun, expected reset first")
        return self._run

    def _make_simulation(self) -> Simulation:
        settings = self._settings
        unknown = [name for name in settings.cameras if name not in CHANNELS]
        if unknown:
            raise ConfigError(
                f"the camera {unknown[0]!r} is not known, expected some of {', '.join(CHANNELS)}"
            )
        rig = {camera.name: camera for camera in nuplan_rig(settings.width_px, settings.height_px)}
        draws = settings.needs_images or (self.render_mode is not None and settings.view == "front")
        return Simulation(
            settings.protocol,
            self._actions.tracker,
            traffic_model(settings.run),
            SceneRenderer(make_backend(settings.backend, threads=1)) if draws else None,
            tuple(rig[name] for name in settings.cameras),
        )

    def _observe(self, state: SimState) -> Observation:
        return self._simulation.observe(state, with_images=self._settings.needs_images)

    def _read(self, run: _Episode) -> Any:
        remaining = 1.0 - len(run.plans) / self._settings.protocol.num_decisions
        return self._observations.read(run.seen, run.state, run.stage, remaining)

    def _score(self, run: _Episode, final: SimState) -> EpisodeScore:
        """Return the score of the episode as far as it was driven, as runs score it.

        Args:
            run: with the plans so far.
            final: the state now, or after the look-ahead.
        """
        protocol = self._settings.protocol
        driven = replace(protocol, horizon=round(len(run.plans) * protocol.decision_interval, 9))
        stage, traffic = run.stage, self._settings.traffic
        record = make_record(final, stage.scenario, driven, run.plans, run.commands, traffic, seed=0)
        return score_episode(record, stage.scenario, stage.metric, stage.yardstick, stage.drivable)


def _final(score: EpisodeScore) -> dict[str, Any]:
    """Return what `info` says about a whole episode."""
    return {
        "sub_scores": {name: float(getattr(score, name)) for name in SUB_SCORES},
        "score": float(score.score),
        "is_success": bool(score.success),
        "blame": score.blame,
        "reasons": dict(score.reasons),
    }


__all__ = ["ClosedLoopEnv", "RewardTerms"]
