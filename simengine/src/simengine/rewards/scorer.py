"""Scores every entry of a vocabulary at one instant."""

from __future__ import annotations

import numpy as np

from simengine.metrics.epdms.lane_keeping import lane_keeping
from simengine.metrics.pdm.aggregate import pdm_score
from simengine.metrics.pdm.ego_geometry import ego_geometry
from simengine.metrics.pdm.from_scenario import Reference, scene_of
from simengine.metrics.pdm.map_areas import LANE_LAYERS
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import score_batch
from simengine.rewards.columns import COLUMNS
from simengine.rewards.modes import DT, NUM_STATES, reward_rules
from simengine.rewards.moment import Moment
from simengine.rewards.pairing import paired_progress
from simengine.rewards.place import Place
from simengine.rewards.reference import progress_reference
from simengine.rewards.scores import VocabularyScores, unknown_scores
from simengine.rewards.tracking import EntryTracking
from simengine.rewards.vocabulary import Vocabulary


class VocabularyScorer:
    """Scores the K entries of a vocabulary again and again.

    Args:
        vocabulary: the entries.
        mode: `navsim_v1`, `corrected` or `worldengine_v1`.
        threads: how many threads share the work, None for one per core; scores do not depend on it.

    Raises:
        ConfigError: there is no such mode.
    """

    def __init__(self, vocabulary: Vocabulary, mode: str = "navsim_v1", threads: int | None = None) -> None:
        self.vocabulary, self.rules = vocabulary, reward_rules(mode)
        self._threads = threads
        self._tracking: EntryTracking | None = None

    def score(self, place: Place, moment: Moment) -> VocabularyScores:
        """Return the scores of all entries, each paired with the reference of progress at `moment`."""
        size, mode = self.vocabulary.size, self.rules.mode
        if moment.missing:
            return unknown_scores(moment.token, moment.step, mode, size, moment.missing)
        reference = progress_reference(place, moment, self.rules)
        return self.score_with(place, moment, reference)

    def score_with(self, place: Place, moment: Moment, reference: Reference) -> VocabularyScores:
        """Return the scores of all entries, each paired with `reference`."""
        scoring, threads = self.rules.scoring, self._threads
        states = self._states(place, moment)
        states[0], short = _as_long(reference, states.shape[1])
        scene = scene_of(place.scenario, moment.tracks, moment.ego, reference, DT, scoring)
        batch = score_batch(states, scene, threads)
        unknown = _unknown(place, scene)
        known = batch.no_at_fault_collisions.copy()
        if "drivable_area_compliance" not in unknown:
            known *= batch.drivable_area_compliance
        if reference.source == "logged_ego":
            known[0] = 1.0
        if short:
            unknown["ego_progress"] = short
        columns = {name: getattr(batch, name)[1:] for name in COLUMNS if hasattr(batch, name)}
        columns["ego_progress"] = paired_progress(batch.raw_progress, known, scoring)
        columns["lane_keeping"] = self._lane_keeping(states[1:], scene)
        columns |= {name: np.full(self.vocabulary.size, np.nan) for name in unknown}
        columns["score"] = pdm_score(
            columns["no_at_fault_collisions"] * columns["drivable_area_compliance"],
            progress=columns["ego_progress"],
            ttc=columns["time_to_collision_within_bound"],
            comfort=columns["comfort"],
            direction=columns["driving_direction_compliance"],
            parameters=scoring,
        )
        if np.isnan(columns["score"]).any():
            unknown["score"] = f"not known without {', '.join(name for name in unknown if _counts(name))}"
        progress = float("nan") if short else float(batch.raw_progress[0])
        return VocabularyScores(
            moment.token, moment.step, self.rules.mode, **columns,
            reference_progress=progress, reference=reference.source, unknown=unknown,
        )  # fmt: skip

    def _states(self, place: Place, moment: Moment) -> np.ndarray:
        """Simulated entries (K + 1, 41, 11); row 0 is left free for the reference."""
        vehicle = place.scenario.vehicle
        if self._tracking is None or self._tracking.vehicle != vehicle:
            self._tracking = EntryTracking(self.vocabulary, vehicle, self.rules.tracker)
        states = self._tracking.states(moment.ego, moment.time_us, self._threads)
        return np.concatenate([states[:1], states])

    def _lane_keeping(self, states: np.ndarray, scene: PdmScene) -> np.ndarray:
        """The published rule: junctions count like everything else."""
        ego = ego_geometry(states, scene.vehicle, self._threads)
        junctions = np.zeros(states.shape[:2], bool)
        return lane_keeping(
            ego, scene.centerline, junctions, dt=DT, parameters=scene.parameters, threads=self._threads
        )


def _as_long(reference: Reference, count: int) -> tuple[np.ndarray, str]:
    """Return the states of the reference, its last one repeated where it ends early, and a word about that."""
    states = reference.states[:count]
    if len(states) == count:
        return states, ""
    rest = np.repeat(states[-1:], count - len(states), axis=0)
    return np.concatenate([states, rest]), f"the reference covers {len(states)} of {NUM_STATES} states"


def _unknown(place: Place, scene: PdmScene) -> dict[str, str]:
    vector_map, unknown = place.scenario.map, {}
    nothing = "the scenario has no map" if vector_map.is_empty else ""
    if not len(scene.drivable.surface(scene.parameters.areas)):
        unknown["drivable_area_compliance"] = nothing or "the map has no drivable area near the ego"
    if not scene.drivable.has(*LANE_LAYERS):
        unknown["driving_direction_compliance"] = nothing or "the map has no lane polygons near the ego"
    elif not place.has_route:
        unknown["driving_direction_compliance"] = "the scenario has no usable route"
    if not place.has_route:
        unknown["lane_keeping"] = nothing or "the scenario has no usable route"
    return unknown


def _counts(name: str) -> bool:
    return name not in ("driving_direction_compliance", "lane_keeping", "score")
