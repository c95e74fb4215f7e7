"""NAVSIM scene filters: which moments of which logs become scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.yaml_text import flag, is_none, read_yaml, text_list, whole_number

FRAME_DT = 0.5
"""Time between NAVSIM frames [s]."""


@dataclass(frozen=True)
class SceneFilter:
    """A NAVSIM `SceneFilter`; the defaults are NAVSIM's.

    Attributes:
        name: its file, for messages.
        tokens: tokens wanted, None for all.
        log_names: logs to look in, None for all.
        num_history_frames: frames up to and with the present one.
        num_future_frames: frames after it.
        frame_interval: frames from one scene to the next, None for as many as a scene has.
        has_route: leave out scenes without a route.
        max_scenes: at most so many, None for all.
    """

    name: str = "default"
    tokens: tuple[str, ...] | None = None
    log_names: tuple[str, ...] | None = None
    num_history_frames: int = 4
    num_future_frames: int = 10
    frame_interval: int | None = None
    has_route: bool = True
    max_scenes: int | None = None

    @property
    def num_frames(self) -> int:
        """Frames of a scene."""
        return self.num_history_frames + self.num_future_frames

    def wants_log(self, name: str) -> bool:
        """Return whether a log is to be looked at."""
        return self.log_names is None or name in self.log_names

    def windows(self, frames: Sequence[str]) -> list[str]:
        """Return the present frame of each scene of a log, as NAVSIM cuts it.

        Args:
            frames: tokens of the log's frames, 0.5 s apart.
        """
        step = self.frame_interval or self.num_frames
        starts = range(0, len(frames) - self.num_frames + 1, step)
        return [frames[start + self.num_history_frames - 1] for start in starts]


def read_filter(path: Path) -> SceneFilter:
    """Return the filter in a YAML file; keys that it lacks keep NAVSIM's defaults, others are ignored.

    Raises:
        ScenarioFormatError: the file is missing, no YAML, or a key has the wrong kind of value.
    """
    raw = read_yaml(path, "NAVSIM scene filter")
    default = SceneFilter()
    counts = {}
    for key in ("num_history_frames", "num_future_frames", "frame_interval", "max_scenes"):
        counts[key] = whole_number(path, key, raw[key]) if key in raw else getattr(default, key)
    for key in ("num_history_frames", "num_future_frames"):
        if counts[key] is None or (key == "num_history_frames" and counts[key] < 1):
            raise ScenarioFormatError(f"{path}: {key} is {raw[key]!r}, expected a number of frames")
    tokens = raw.get("tokens")
    if is_none(tokens):
        tokens = raw.get("scenario_tokens")
    return SceneFilter(
        name=str(path),
        tokens=text_list(path, "tokens", tokens),
        log_names=text_list(path, "log_names", raw.get("log_names")),
        has_route=flag(path, "has_route", raw["has_route"]) if "has_route" in raw else default.has_route,
        **counts,
    )
