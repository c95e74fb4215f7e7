"""Why any one state sequence scores what it does: an executed drive, a plan, an entry of a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.check import require_shape
from simengine.datatypes.ego import STATE_SIZE
from simengine.metrics.blame.areas import DIRECTION, OFF_ROAD
from simengine.metrics.blame.blame import Blame
from simengine.metrics.blame.contacts import COLLISION, TTC
from simengine.metrics.blame.drive import Drive
from simengine.metrics.blame.extended import extended_blames_of
from simengine.metrics.blame.find import COMFORT, blames_of
from simengine.metrics.blame.progress import PROGRESS
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.epdms.scorer import PreviousFrame, epdms_batch
from simengine.metrics.pdm.from_scenario import Reference
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import score_batch

PDM_COLUMNS = (COLLISION, OFF_ROAD, PROGRESS, TTC, COMFORT, DIRECTION)


@dataclass(frozen=True)
class Explanation:
    """The score of one state sequence and what it lost points for.

    Attributes:
        values: sub-scores by name.
        score: the total.
        blames: every loss, most severe first.
        drive: the sequence as it was scored, with geometry.
        reasons: why a sub-score is NaN, by name.
    """

    values: Mapping[str, float]
    score: float
    blames: tuple[Blame, ...]
    drive: Drive
    reasons: Mapping[str, str] = field(default_factory=dict)


def explain(
    states: np.ndarray,
    scene: PdmScene | EpdmsScene,
    reference: Reference | None = None,
    *,
    previous: PreviousFrame | None = None,
) -> Explanation:
    """Return score and losses of one state sequence, scored in a batch of two behind the reference.

    Args:
        states: (S, 11) rear-axle states, the scene's `dt` apart.
        scene: of the PDM score, or of the extended one.
        reference: whose progress is full progress, over at least S states; it is scored like the sequence. Left out,
            the sequence is measured by itself.
        previous: the frame before, for extended comfort.
    """
    require_shape("states", states, (len(states), STATE_SIZE))
    first = states if reference is None else reference.states[: len(states)]
    source = "itself" if reference is None else reference.source
    rows = np.stack([first, states])
    if isinstance(scene, PdmScene):
        batch = score_batch(rows, scene, threads=1)
        drive = Drive(rows[1], scene, batch, source=source)
        values = {name: float(getattr(batch, name)[1]) for name in PDM_COLUMNS}
        return Explanation(values, float(batch.score[1]), blames_of(values, drive), drive)
    extended = epdms_batch(rows, scene, previous=previous, threads=1)
    drive = Drive(rows[1], scene.pdm, extended.pdm, source=source)
    values = {name: float(column[1]) for name, column in extended.columns.items()}
    blames = extended_blames_of(extended, scene, drive, previous)
    return Explanation(values, float(extended.score[1]), blames, drive, dict(extended.reasons))
