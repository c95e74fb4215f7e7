"""A point in time that a chain of waits must not pass."""

from __future__ import annotations

import time


class Deadline:
    """Counts down from a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def remaining_ms(self) -> int:
        """Milliseconds left, rounded up so that a wait does not spin at the end."""
        return int(self.remaining * 1000.0 + 0.999)

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining == 0.0
