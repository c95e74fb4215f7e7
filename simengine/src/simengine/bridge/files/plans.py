"""Plans as .npy files: waiting for one, and writing one."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np

from simengine.bridge.deadline import Deadline
from simengine.datatypes.plan import Plan
from simengine.errors import BridgeError, PlannerTimeoutError

PLAN_DT = 0.1
_POLL_S = 0.005
_SETTLE_S = 5.0
_UNREADABLE = (OSError, ValueError, EOFError)


def wait_for_plan(path: Path, timeout: float) -> Plan:
    """Return the plan at `path` as soon as it is there and whole; its poses are 0.1 s apart.

    A planner that writes in place is given a moment to finish.

    Raises:
        PlannerTimeoutError: nothing came within `timeout` seconds.
        BridgeError: the file cannot be read, or holds something else than poses.
        PlanError: the poses are malformed.
    """
    deadline = Deadline(timeout)
    while not path.exists():
        if deadline.passed:
            raise PlannerTimeoutError(
                f"no plan {path.name} in {path.parent} within {timeout:g} s, expected the planner to write it: check "
                "that the planner runs, watches the frames beside that folder and has not driven this scene before, or "
                "raise bridge.plan_timeout if it is only slow"
            )
        time.sleep(_POLL_S)
    return Plan(_poses(path), PLAN_DT)


def write_plan(path: Path, poses: np.ndarray) -> None:
    """Write poses (N, 3) as float32 under the name `<stem>_tmp.npy`, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}_tmp.npy")
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(poses, dtype=np.float32), allow_pickle=False)
    try:
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _poses(path: Path) -> np.ndarray:
    settle = Deadline(_SETTLE_S)
    while True:
        try:
            poses = np.load(path, allow_pickle=False)
            break
        except _UNREADABLE as error:
            if settle.passed:
                raise BridgeError(
                    f"{path} cannot be read ({type(error).__name__}: {error}), expected a whole .npy file of numbers: "
                    "see what the planner wrote"
                ) from error
            time.sleep(_POLL_S)
    if not isinstance(poses, np.ndarray) or poses.dtype.kind not in "fiu":
        raise BridgeError(
            f"{path} holds no array of numbers, expected poses (40, 3): see what the planner wrote"
        )
    return poses
