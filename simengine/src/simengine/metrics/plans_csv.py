"""Plans of a user's own model from a CSV file, one line per pose.

The columns are `token,t,x,y,yaw`, in any order; others are ignored. `t` is in seconds after the decision, `x`, `y` [m]
and `yaw` [rad] are the rear axle in the ego frame of the decision. The poses of a token are evenly spaced and start
one step after the decision; each token may have its own step and number of poses.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simengine.datatypes.plan import Plan
from simengine.errors import PlanError

COLUMNS = ("token", "t", "x", "y", "yaw")
TIME_TOLERANCE = 1e-3
"""By how much a time may be off an even grid [s]; files often hold milliseconds."""
SHORTEST_STEP, LONGEST_STEP = 0.01, 4.0
FARTHEST = 1000.0
"""No car gets farther in a plan [m]; map coordinates do."""
WIDEST_TURN = 2.0 * math.pi + TIME_TOLERANCE


@dataclass(frozen=True)
class PlanTable:
    """The plans of a file.

    Attributes:
        path: the file.
        plans: plan by token, in the order of the file.
        lines: line on which each token appears first.
    """

    path: Path
    plans: dict[str, Plan]
    lines: dict[str, int]


class _Pose(NamedTuple):
    t: float
    x: float
    y: float
    yaw: float
    line: int


def read_plans(path: Path) -> PlanTable:
    """Return the plans of a CSV file; everything in it is checked.

    Raises:
        PlanError: the file is no UTF-8 table with these columns and at least one line, a cell is missing or no finite
            number, the times of a token are not even, or lengths or angles are not in metres and radians.
    """
    path = Path(path)
    poses: dict[str, list[_Pose]] = {}
    for token, pose in _poses(path):
        poses.setdefault(token, []).append(pose)
    if not poses:
        raise PlanError(f"{path} has a header and no poses, expected one line per pose")
    plans = {token: _plan(path, token, found) for token, found in poses.items()}
    return PlanTable(path, plans, {token: min(pose.line for pose in found) for token, found in poses.items()})


def require_known(table: PlanTable, tokens: Collection[str], split: str) -> None:
    """Raise `PlanError` if the table has a plan for a token that is none of `tokens` of `split`."""
    known = set(tokens)
    unknown = [token for token in table.plans if token not in known]
    if unknown:
        raise PlanError(
            f"{table.path}, line {table.lines[unknown[0]]}: token {unknown[0]!r} is not in split {split} "
            f"({len(unknown)} of {len(table.plans)} tokens are unknown), expected tokens such as "
            f"{min(known, default='')!r}: fix the tokens or choose another split"
        )


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlanError(
            f"{path} cannot be read ({error.strerror or error}), expected a CSV file of plans"
        ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanError(
            f"{path} is not UTF-8 (byte {error.start} is {content[error.start]:#04x}), expected text in UTF-8: save it "
            "again"
        ) from None
    if not text.strip():
        raise PlanError(f"{path} is empty, expected the header {','.join(COLUMNS)} and one line per pose")
    return text


def _poses(path: Path) -> Iterator[tuple[str, _Pose]]:
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader)]
        at = _places(path, header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) != len(header):
                    raise PlanError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, expected {len(header)} as in the header"
                    )
                yield _pose(path, reader.line_num, [cells[k] for k in at])
    except csv.Error as error:
        raise PlanError(f"{path}, line {reader.line_num}: {error}, expected comma-separated cells") from None


def _places(path: Path, header: list[str]) -> list[int]:
    """Return where each of `COLUMNS` is."""
    missing = [name for name in COLUMNS if name not in header]
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if missing or twice:
        problem = f"no column {', '.join(missing)}" if missing else f"two columns {', '.join(twice)}"
        raise PlanError(
            f"{path} has {problem} (its header is {','.join(header)!r}), expected {','.join(COLUMNS)}"
        )
    return [header.index(name) for name in COLUMNS]


def _pose(path: Path, line: int, cells: list[str]) -> tuple[str, _Pose]:
    token, numbers = cells[0].strip(), []
    if not token:
        raise PlanError(f"{path}, line {line}: the token is empty, expected that of a scenario")
    for name, cell in zip(COLUMNS[1:], cells[1:], strict=True):
        try:
            numbers.append(float(cell))
        except ValueError:
            raise PlanError(f"{path}, line {line}: {name} is {cell.strip()!r}, expected a number") from None
        if not math.isfinite(numbers[-1]):
            raise PlanError(f"{path}, line {line}: {name} is {cell.strip()}, expected a finite number")
    pose = _Pose(*numbers, line)
    if max(abs(pose.x), abs(pose.y)) > FARTHEST:
        raise PlanError(
            f"{path}, line {line}: the pose is at x = {pose.x:g}, y = {pose.y:g}, expected metres in the ego frame of "
            f"the decision, at most {FARTHEST:g}"
        )
    if abs(pose.yaw) > WIDEST_TURN:
        raise PlanError(f"{path}, line {line}: yaw is {pose.yaw:g}, expected radians from -2 pi to 2 pi")
    return token, pose


def _plan(path: Path, token: str, poses: list[_Pose]) -> Plan:
    poses = sorted(poses)
    times = np.array([pose.t for pose in poses])
    here = f"{path}, token {token!r}"
    if times[0] <= 0.0:
        remedy = ": leave out the pose of the decision itself" if times[0] == 0.0 else ""
        raise PlanError(
            f"{here}: a pose is at t = {times[0]:g} s (line {poses[0].line}), expected the first one step after the "
            f"decision{remedy}"
        )
    same = np.flatnonzero(np.diff(times) == 0.0)
    if len(same):
        first, second = poses[same[0]], poses[same[0] + 1]
        raise PlanError(
            f"{here}: lines {first.line} and {second.line} are both at t = {first.t:g} s, expected one pose per time"
        )
    dt = float(round(times[-1] / len(times), 6))
    if np.abs(times - dt * np.arange(1, len(times) + 1)).max() > TIME_TOLERANCE:
        raise PlanError(f"{here}: {_unevenness(poses, times)}")
    if not SHORTEST_STEP <= dt <= LONGEST_STEP:
        raise PlanError(
            f"{here}: poses are {dt:g} s apart, expected {SHORTEST_STEP:g} to {LONGEST_STEP:g} s, such as 0.1 or 0.5"
        )
    return Plan(np.array([[pose.x, pose.y, pose.yaw] for pose in poses]), dt)


def _unevenness(poses: list[_Pose], times: np.ndarray) -> str:
    step = float(np.median(np.diff(times, prepend=0.0)))
    off = np.abs(times - step * np.arange(1, len(times) + 1)) > TIME_TOLERANCE
    first = int(off.argmax())
    return (
        f"pose {first + 1} is at t = {times[first]:g} s (line {poses[first].line}), expected {step * (first + 1):g} s "
        f"as one of {len(times)} poses every {step:g} s from one step after the decision on"
    )
