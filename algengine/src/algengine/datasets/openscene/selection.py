"""Which frames a data set consists of: tokens of splits, failures with as many normal frames, simulated drives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algengine.datasets.openscene.frame import Frame
from algengine.datasets.openscene.places import located
from algengine.datasets.openscene.sequences import FrameSequences
from algengine.datasets.split_file import SplitFile, read_split
from algengine.errors import RecordingError
from algengine.structures.fail_mask import NORMAL, REAL_FAILURE
from simengine.errors import ConfigError


@dataclass(frozen=True)
class Item:
    """One sample.

    Attributes:
        frame: the present.
        fail_mask: see `structures.fail_mask`.
        imitate: whether its future is to be learnt from; simulated drives teach by rewards only.
    """

    frame: Frame
    fail_mask: int = NORMAL
    imitate: bool = True


def union_of_splits(paths: str | Path | Sequence[str | Path] | None) -> list[str]:
    """Return the tokens of all splits in order, each once."""
    if not paths:
        return []
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    return list(dict.fromkeys(token for path in listed for token in read_split(located(path)).tokens))


def split_frames(split: SplitFile, path: str, sequences: FrameSequences, ann_file: str) -> list[Frame]:
    """Return the frames of a split's tokens, in its order.

    Raises:
        RecordingError: a token is in no info file.
    """
    missing = [token for token in split.tokens if token not in sequences]
    if missing:
        raise RecordingError(
            f"{len(missing)} of {len(split.tokens)} tokens of {path} are not in {ann_file} (such as {missing[0]}), "
            "expected a frame for each: use the info file of that split, or make it again; `algengine data check` "
            "lists what is missing"
        )
    return [sequences[token] for token in dict.fromkeys(split.tokens)]


def with_normals(
    failures: Sequence[Item],
    normals: Iterable[Frame],
    ratio: int = 1,
    normal_only: bool = False,
    seed: int = 0,
) -> list[Item]:
    """Return the failures, and for each `ratio` normal frames of the same log.

    They are drawn without repetition as long as the log has enough; a failure whose log has none gets none. The draw
    depends on `seed` only, so all processes agree.

    Args:
        failures: real or simulated.
        normals: frames to draw from, without the failures.
        ratio: normal frames for each failure.
        normal_only: leave out the failures.
        seed: of the draw.
    """
    if ratio < 0:
        raise ConfigError(f"normal_ratio is {ratio}, expected at least 0")
    by_log: dict[str, list[Frame]] = defaultdict(list)
    for frame in normals:
        by_log[frame.log_name].append(frame)
    rng = np.random.default_rng(seed)
    drawn = []
    for item in failures:
        pool = by_log.get(log_of(item.frame), [])
        if pool and ratio:
            rows = rng.choice(len(pool), ratio, replace=len(pool) < ratio)
            drawn += [Item(pool[row]) for row in rows]
    return drawn if normal_only else [*failures, *drawn]


def failures_and_normals(
    sequences: FrameSequences, base: Sequence[Frame], tokens: Sequence[str], ratio: int, normal_only: bool
) -> list[Item]:
    """Return frames of `tokens` as failures, wherever they are in the infos, with normal frames of `base`.

    Raises:
        RecordingError: none of the tokens is in the infos.
    """
    failed = [sequences[token] for token in tokens if token in sequences]
    if not failed:
        raise RecordingError(
            f"none of the {len(tokens)} failure tokens is in the info file, expected failures of the same logs: check "
            "finetune_yaml and ann_file"
        )
    known = set(tokens)
    normals = [frame for frame in base if frame.token not in known]
    return with_normals([Item(frame, REAL_FAILURE) for frame in failed], normals, ratio, normal_only)


def log_of(frame: Frame) -> str:
    """Return the drive a frame belongs to, also of a simulated one."""
    return "-".join(frame.log_name.split("-")[:2]) if frame.dataset else frame.log_name
