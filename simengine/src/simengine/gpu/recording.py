"""All operations that score a batch as one recorded CUDA graph, replayed for batch after batch, scene after scene."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch

from simengine.gpu.batch import GpuBatch, score_part
from simengine.gpu.room import Room
from simengine.gpu.rule_tensors import RuleTensors
from simengine.gpu.scene import GpuScene
from simengine.gpu.tensors import leaves, mapped

T = TypeVar("T")


class Recording:
    """Scores batches of one shape by one set of rules in tensors that stay where they are.

    States and scene are copied into places at least as large. Places and room double when they have to grow, so that
    few scenes need a new recording. Elsewhere than on CUDA nothing is recorded; the operations are the same.
    """

    def __init__(self, rules: RuleTensors) -> None:
        """Start without knowing how much room a batch needs."""
        # A graph reads these for as long as it lives.
        self._rules = rules
        self._room: Room | None = None
        self._columns: torch.Tensor | None = None
        self._places: GpuScene | None = None
        self._scene: GpuScene | None = None
        self._replay: Callable[[], tuple[GpuBatch, torch.Tensor]] | None = None

    def make_room(self, needed: list[int]) -> None:
        """Have the next batch recorded with room for what has been `needed`, and for all before."""
        known = self._room or Room(*[1] * len(needed))
        self._room = Room(*(max(_power_of_two(n), had) for n, had in zip(needed, known, strict=True)))
        self._replay = None

    def score(self, states: torch.Tensor, scene: GpuScene) -> GpuBatch | None:
        """Return the sub-scores of states (P, S, 11), None if it is unknown how much room that takes, or too much."""
        if self._room is None:
            return None
        if self._replay is None or not self._has_place_for(scene):
            self._record(states, scene)
        else:
            self._put(states, scene)
        batch, needed = self._replay()
        own = mapped(torch.clone, batch)
        # Only here we wait for the device.
        enough = all(n <= room for n, room in zip(needed.tolist(), self._room, strict=True))
        return own if enough else None

    def _has_place_for(self, scene: GpuScene) -> bool:
        pairs = zip(leaves(scene), leaves(self._places), strict=True)
        return scene is self._scene or all(_fits(values, place) for values, place in pairs)

    def _record(self, states: torch.Tensor, scene: GpuScene) -> None:
        # The old graph gives its memory back first.
        self._replay, self._scene = None, None
        self._columns = states.new_empty(states.shape[2], *states.shape[:2])
        self._places = mapped(_place, scene, self._places or scene)
        self._put(states, scene)
        work = partial(score_part, self._columns, self._places, self._rules, self._room)
        self._replay = record(work, scene.device)

    def _put(self, states: torch.Tensor, scene: GpuScene) -> None:
        self._columns.copy_(states.movedim(-1, 0))
        if scene is self._scene:
            return
        for values, place in zip(leaves(scene), leaves(self._places), strict=True):
            _fill(place, values)
        self._scene = scene


def record(work: Callable[[], T], device: torch.device) -> Callable[[], T]:
    """Return `work` as a CUDA graph that writes the same tensors at each call; elsewhere than on CUDA, as it is.

    It must do the same each time: read no values from the device and copy none from the host.
    """
    if device.type != "cuda":
        return work
    # Whatever is loaded or allocated for the first time must be so before the recording.
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        work()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = work()

    def replay() -> T:
        graph.replay()
        return result

    return replay


def _fits(values: torch.Tensor, place: torch.Tensor) -> bool:
    return all(n <= size for n, size in zip(values.shape, place.shape, strict=True))


def _place(values: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Return a place for values like either of two tensors, its last length a power of two."""
    lengths = [max(pair) for pair in zip(values.shape, before.shape, strict=True)]
    return values.new_empty((*lengths[:-1], *(_power_of_two(n) for n in lengths[-1:])))


def _fill(place: torch.Tensor, values: torch.Tensor) -> None:
    """Copy values to the front of a place. Rows behind them are 0, and the last column is repeated to the end."""
    if place.shape == values.shape:
        place.copy_(values)
        return
    place.zero_()
    rows, columns = place[tuple(slice(n) for n in values.shape[:-1])], values.shape[-1]
    rows[..., :columns].copy_(values)
    rows[..., columns:].copy_(values[..., -1:])


def _power_of_two(n: int) -> int:
    """Return the smallest power of two that is at least `n` and 1."""
    return 1 << max(n - 1, 0).bit_length()
