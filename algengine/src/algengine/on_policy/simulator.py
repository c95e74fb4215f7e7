"""The world made of our simulator, cameras included, in this process.

This is the one module of algengine that imports more of simengine than its light layer (see `.importlinter`); planner
and simulator meet nowhere else but over the bridge. Nothing imports it but the command `algengine on-policy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import numpy as np

from algengine.on_policy.world import Answer
from simengine.config.build import check, open_handles
from simengine.config.compose import compose_run
from simengine.config.protocols import make_protocol, traffic_model
from simengine.config.scenes import cache_bytes, scene_opener
from simengine.config.schema import RunConfig
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.errors import ConfigError
from simengine.render.build import make_backend
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig
from simengine.rewards.columns import COLUMNS
from simengine.rewards.moment import Moment
from simengine.rewards.place import Place
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.scores import VocabularyScores
from simengine.rewards.vocabulary import Vocabulary
from simengine.runner.rewards import RewardRecorder
from simengine.runner.worker import Handle
from simengine.sim.loop import Simulation

_HERE = ("split", "traffic", "traffic_agents", "controller", "protocol", "render", "rewards", "seed")


class SimulatedWorld:
    """Scenes of `simengine run`, without files.

    Args:
        overrides: words `KEY=VALUE` of `simengine run`, on top of its preset `closed_loop`.
        vocabulary: what is scored.
        scenes: episodes at a time.
        threads: scenes that are simulated, drawn and scored at a time; what comes out does not depend on it.
        only: tokens to use; None for all.
        common: another split, or the same one, of which as many scenarios follow, none twice; "" for none.

    Raises:
        ConfigError: a word or the number of threads is wrong, or no scenario is left.
    """

    def __init__(
        self,
        overrides: Sequence[str],
        vocabulary: Vocabulary,
        scenes: int,
        threads: int = 1,
        only: Sequence[str] | None = None,
        common: str = "",
    ) -> None:
        if threads < 1:
            raise ConfigError(f"--threads is {threads}, expected at least 1")
        self._config, self._common = compose_run([*overrides, "ego=planner"]), common
        check(self._config)
        wanted = None if only is None else frozenset(only)
        self._handles = [h for h in open_handles(self._config) if wanted is None or h.token in wanted]
        if not self._handles:
            raise ConfigError(
                f"no scenario of the split {self._config.split} is left, expected some: check --only and num_scenarios"
            )
        if common:
            self._handles += self._others(len(self._handles))
        self._scenes = [_Scene(self._config, vocabulary) for _ in range(min(scenes, len(self._handles)))]
        self._active: list[_Scene] = []
        self._pool = ThreadPoolExecutor(threads)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Scenarios, in order."""
        return tuple(handle.token for handle in self._handles)

    @property
    def scenes(self) -> int:
        """Episodes at a time."""
        return len(self._scenes)

    def describe(self) -> dict:
        """Return the keys of the run that decide what happens."""
        run = {key: value for key, value in asdict(self._config).items() if key in _HERE}
        return run | {"common": self._common}

    def begin(self, scenarios: Sequence[int]) -> list[Observation]:
        """Begin episodes; see `World`."""
        self._active = self._scenes[: len(scenarios)]
        handles = [self._handles[number] for number in scenarios]
        return list(self._pool.map(_Scene.begin, self._active, handles))

    def advance(self, plans: Sequence[Plan]) -> list[Answer]:
        """Drive; see `World`."""
        return list(self._pool.map(_Scene.advance, self._active, plans))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _others(self, count: int) -> list[Handle]:
        """Return as many scenarios of the split `common`, without those that are driven anyway."""
        taken = set(self.tokens)
        others = [h for h in open_handles(replace(self._config, split=self._common)) if h.token not in taken]
        if not others:
            raise ConfigError(
                f"no scenario of the split {self._common} is left, expected some beside those of {self._config.split}: "
                "check --common and num_scenarios"
            )
        return others[:count]


class _Scene:
    """One episode after another."""

    def __init__(self, config: RunConfig, vocabulary: Vocabulary) -> None:
        protocol, render = make_protocol(config), config.render
        renderer = SceneRenderer(
            make_backend(render.backend, render.threads or 1),
            open_scene=scene_opener(render),
            cache_bytes=cache_bytes(render),
            lens=render.lens,
            rolling_shutter=render.rolling_shutter,
        )
        rig = None
        if render.rig == "nuplan":
            rig = nuplan_rig(render.width_px, render.height_px, distortion=render.distortion)
        tracker = protocol.rules.trackers[config.controller]()
        self._simulation = Simulation(protocol, tracker, traffic_model(config), renderer, rig)
        # Scenes share no scorer, because it remembers what it simulated.
        self._scorer = _LastScores(VocabularyScorer(vocabulary, config.rewards.mode, 1))
        self._recorder = RewardRecorder(self._scorer, tracker)
        self._state: SimState | None = None
        self._left = 0

    def begin(self, handle: Handle) -> Observation:
        self._state = self._simulation.reset(handle.load())
        episode = self._simulation.episode
        self._rewards = self._recorder.start(episode.logged, episode.traffic)
        self._left = self._simulation.protocol.num_decisions
        return self._simulation.observe(self._state)

    def advance(self, plan: Plan) -> Answer:
        assert self._state is not None, "begin comes first"
        self._rewards.add(self._state, plan)
        rewards = {name: np.array(self._scorer.last.columns[name], np.float32) for name in COLUMNS}
        self._left -= 1
        if self._left == 0:
            return Answer(rewards, None)
        self._state = self._simulation.step(self._state, plan)
        return Answer(rewards, self._simulation.observe(self._state))


class _LastScores:
    """A scorer that remembers what it said last: the recorder of a run keeps it for its files only."""

    def __init__(self, scorer: VocabularyScorer) -> None:
        self._scorer, self.vocabulary, self.rules = scorer, scorer.vocabulary, scorer.rules
        self.last: VocabularyScores

    def score(self, place: Place, moment: Moment) -> VocabularyScores:
        self.last = self._scorer.score(place, moment)
        return self.last
