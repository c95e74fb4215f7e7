"""All PDM sub-scores of a batch of ego state sequences on a GPU; the twin of `metrics.pdm.scorer`.

It is written in torch operations, so it runs on a processor too, slowly; that is how it is tested everywhere.
"""

from __future__ import annotations

import torch

from simengine.gpu.batch import GpuBatch, merge, score_part
from simengine.gpu.recording import Recording
from simengine.gpu.rule_tensors import RuleTensors, rule_tensors
from simengine.gpu.scene import GpuScene
from simengine.metrics.pdm.scene import PdmScene

_ENTRIES = 1 << 26
"""At most so many pairs of a state or projection and a track listed near it at once, at some 100 bytes each."""
_RECORDINGS = 4


@torch.no_grad()
def score_batch(states: torch.Tensor, scene: GpuScene | PdmScene, rows: int | None = None) -> GpuBatch:
    """Return all sub-scores of rear-axle states (P, S, 11), progress normalised over the whole batch.

    On a GPU most of the time goes into starting some hundred operations; `GpuScorer` starts them all at once.

    Args:
        states: P sequences, `scene.dt` apart; state s meets track frame s.
        scene: what they are scored against; a `PdmScene` is uploaded to the device of `states` first, which
            takes longer than scoring does.
        rows: how many sequences are scored at a time, None for as many as memory is made for; results do not
            depend on it.
    """
    scene, rules, parts = _prepare(states, scene, rows)
    return merge([_score(part, scene, rules)[0] for part in parts], scene.parameters)


class GpuScorer:
    """Scores batch after batch; on a CUDA device a batch costs a few launches, whatever its scene.

    The first batch of a shape is scored operation by operation. With the second, all operations are recorded as a
    CUDA graph, which takes longer; from then on it is replayed, also for other scenes that are scored by the same
    rules. A batch that needs more room than those before is again scored operation by operation, and the next one
    records a larger graph.

    A scorer keeps the memory of its graphs and serves one thread and one stream at a time. Results are the caller's
    own and equal those of `score_batch`.
    """

    def __init__(self, recordings: int = _RECORDINGS) -> None:
        """Prepare for at most so many `recordings` at once, one for each shape of batch and set of rules."""
        self._limit = recordings
        self._recordings: dict[tuple, Recording] = {}

    @torch.inference_mode(False)
    @torch.no_grad()
    def score_batch(
        self, states: torch.Tensor, scene: GpuScene | PdmScene, rows: int | None = None
    ) -> GpuBatch:
        """Return all sub-scores of states (P, S, 11); arguments and results are those of `score_batch`."""
        scene, rules, parts = _prepare(states, scene, rows)
        return merge([self._score(part, scene, rules) for part in parts], scene.parameters)

    def _score(self, states: torch.Tensor, scene: GpuScene, rules: RuleTensors) -> GpuBatch:
        recording = self._recording(states, scene, rules)
        batch = recording.score(states, scene)
        if batch is None:
            batch, needed = _score(states, scene, rules)
            recording.make_room(needed.tolist())
        return batch

    def _recording(self, states: torch.Tensor, scene: GpuScene, rules: RuleTensors) -> Recording:
        """Return the recording for such batches; the one not asked for longest makes way for a new one."""
        key = (states.shape, scene.device, scene.vehicle, scene.dt, scene.parameters)
        recording = self._recordings.pop(key, None) or Recording(rules)
        while len(self._recordings) >= self._limit:
            del self._recordings[next(iter(self._recordings))]
        self._recordings[key] = recording
        return recording


def _prepare(
    states: torch.Tensor, scene: GpuScene | PdmScene, rows: int | None
) -> tuple[GpuScene, RuleTensors, tuple[torch.Tensor, ...]]:
    """Return scene and rules on a device, and the states there in parts that fit into memory."""
    if isinstance(scene, PdmScene):
        scene = GpuScene.upload(scene, states.device)
    states = states.to(scene.device, torch.float64)
    rules = rule_tensors(states.shape[1], scene.dt, scene.parameters, scene.device)
    points_of_areas, crowd = 6, len(rules.ahead) * scene.traffic.crowd
    entries = states.shape[0] * states.shape[1] * max(points_of_areas, crowd)
    # Of one size if possible: one recording serves all parts then.
    rows = rows or -(-len(states) // -(-entries // _ENTRIES))
    return scene, rules, states.split(rows)


def _score(states: torch.Tensor, scene: GpuScene, rules: RuleTensors) -> tuple[GpuBatch, torch.Tensor]:
    # Kernels read one column at a time.
    return score_part(states.movedim(-1, 0).contiguous(), scene, rules)
