"""Where a playback is: a value that time moves on."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
# Positions are sums of short times; a frame must not be missed for the last digit.
_SLACK = 1e-6


@dataclass(frozen=True)
class Playback:
    """A position in a drive.

    Attributes:
        duration: length of the drive [s].
        position: where it is [s], in 0..duration.
        speed: seconds of the drive per second of the clock.
        playing: whether time moves it on.
        loop: whether it starts over at the end; else it stops there.
    """

    duration: float
    position: float = 0.0
    speed: float = 1.0
    playing: bool = False
    loop: bool = True

    def after(self, elapsed: float) -> Playback:
        """Return the playback `elapsed` seconds of the clock later."""
        if not self.playing or elapsed <= 0.0:
            return self
        position = self.position + elapsed * self.speed
        if position <= self.duration + _SLACK:
            return replace(self, position=min(position, self.duration))
        if self.loop and self.duration > 0.0:
            return replace(self, position=position % self.duration)
        return replace(self, position=self.duration, playing=False)

    def started(self) -> Playback:
        """Return the same playback under way; one that is at its end starts over."""
        at_end = self.position >= self.duration - _SLACK
        return replace(self, playing=True, position=0.0 if at_end else self.position)

    def frame(self, dt: float) -> int:
        """Return the frame, `dt` seconds long each, that is shown at the position."""
        return int((self.position + _SLACK) / dt)

    def until_next(self, dt: float) -> float:
        """Return how many seconds of the clock the frame still lasts."""
        return ((self.frame(dt) + 1) * dt - self.position) / self.speed
