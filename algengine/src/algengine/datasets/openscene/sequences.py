"""Frames in order of time, with what came before and after each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from algengine.datasets.openscene.frame import Frame

LONGEST_GAP_US = 750_000
"""Frames 0.5 s apart that drift further apart than this do not belong together."""


class FrameSequences:
    """Frames by token; neighbours are of the same log or simulated scene, without a gap between.

    Args:
        frames: in any order; of frames with the same data set and token the first counts.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        unique: dict[tuple[str, str], Frame] = {}
        for frame in frames:
            unique.setdefault((frame.dataset, frame.token), frame)
        self.frames: Sequence[Frame] = sorted(
            unique.values(), key=lambda frame: (frame.dataset, frame.sequence, frame.time_us)
        )
        self._position = {(frame.dataset, frame.token): i for i, frame in enumerate(self.frames)}
        # Logged frames come first in the order, so a token that is also simulated finds the log.
        self._by_token: dict[str, Frame] = {}
        for frame in self.frames:
            self._by_token.setdefault(frame.token, frame)

    def __len__(self) -> int:
        return len(self.frames)

    def __contains__(self, token: object) -> bool:
        return token in self._by_token

    def __getitem__(self, token: str) -> Frame:
        """Return the frame with a token, the logged one if it was also simulated."""
        return self._by_token[token]

    def until(self, frame: Frame, count: int) -> list[Frame]:
        """Return up to `count` frames that end with `frame`, oldest first."""
        position = self._position[frame.dataset, frame.token]
        first = position
        while first > 0 and position - first + 1 < count and self._joined(first - 1, first):
            first -= 1
        return list(self.frames[first : position + 1])

    def after(self, frame: Frame, count: int) -> list[Frame]:
        """Return up to `count` frames that follow `frame`."""
        position = self._position[frame.dataset, frame.token]
        last = position
        while last + 1 < len(self.frames) and last - position < count and self._joined(last, last + 1):
            last += 1
        return list(self.frames[position + 1 : last + 1])

    def _joined(self, a: int, b: int) -> bool:
        one, other = self.frames[a], self.frames[b]
        same = (one.dataset, one.sequence) == (other.dataset, other.sequence)
        return same and other.time_us - one.time_us <= LONGEST_GAP_US
