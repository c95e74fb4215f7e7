"""A function of one tensor, recorded as a CUDA graph for each shape it is called with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_WARM_UPS = 3
_KEPT_SHAPES = 8


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    argument: Tensor
    result: list[Tensor]


class RecordedCall:
    """Calls `function` on CUDA tensors by replaying what it launched before.

    Results live in memory of the recording: they hold until the next call with the same shape. Autocast and other
    modes are those of the first call with a shape.

    Args:
        function: launches the same kernels for every tensor of one shape, and never waits for the GPU.
    """

    def __init__(self, function: Callable[[Tensor], list[Tensor]]) -> None:
        self._function = function
        self._recordings: OrderedDict[tuple, _Recording] = OrderedDict()

    def __call__(self, argument: Tensor) -> list[Tensor]:
        """Return the function's results."""
        key = (tuple(argument.shape), argument.dtype)
        if key not in self._recordings:
            self._recordings[key] = self._record(argument)
            if len(self._recordings) > _KEPT_SHAPES:
                self._recordings.popitem(last=False)
        self._recordings.move_to_end(key)
        recording = self._recordings[key]
        recording.argument.copy_(argument)
        recording.graph.replay()
        return recording.result

    def _record(self, argument: Tensor) -> _Recording:
        static = argument.clone()
        # Libraries choose their kernels in the first calls, which must not be recorded.
        stream = torch.cuda.Stream(argument.device)
        stream.wait_stream(torch.cuda.current_stream(argument.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._function(static)
        torch.cuda.current_stream(argument.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._function(static)
        return _Recording(graph, static, result)
