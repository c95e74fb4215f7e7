"""A vocabulary as the scorer needs it: checked, with its rate, and with a key that names its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from simengine.errors import ConfigError
from simengine.rewards.modes import DT, NUM_STATES

HORIZON = (NUM_STATES - 1) * DT
_FASTEST = 70.0


@dataclass(frozen=True)
class Vocabulary:
    """Plans to choose from.

    Attributes:
        plans: (K, N, 3) float64 x, y [m], yaw [rad] in the ego frame, the first pose `dt` from now.
        dt: time between poses [s].

    Raises:
        ConfigError: the plans have another shape, are not finite, are too short, or too fast for their rate.
    """

    plans: np.ndarray
    dt: float = DT

    def __post_init__(self) -> None:
        plans = np.asarray(self.plans)
        if plans.ndim != 3 or plans.shape[-1] != 3 or 0 in plans.shape or plans.dtype.kind not in "fiu":
            raise ConfigError(
                f"a vocabulary has shape {plans.shape} and type {plans.dtype}, expected numbers (plans, poses, 3): "
                "x, y, yaw in the ego frame"
            )
        object.__setattr__(self, "plans", plans.astype(np.float64))
        if not np.isfinite(plans).all():
            row = int(np.argwhere(~np.isfinite(plans))[0, 0])
            raise ConfigError(
                f"plan {row} of a vocabulary is not finite, expected metres and radians: make it again"
            )
        if not self.dt > 0 or plans.shape[1] * self.dt < HORIZON - 1e-6:
            raise ConfigError(
                f"a vocabulary has {plans.shape[1]} poses {self.dt} s apart, expected them to reach {HORIZON:.1f} s "
                "ahead: give its rate, or longer plans"
            )
        fastest = float(np.linalg.norm(self.plans[:, 0, :2], axis=-1).max() / self.dt)
        if fastest > _FASTEST:
            raise ConfigError(
                f"a vocabulary starts with up to {fastest:.0f} m/s at {self.dt} s between poses, expected a car: give "
                "the rate it was made with"
            )

    @property
    def size(self) -> int:
        """Number of plans K."""
        return len(self.plans)

    @cached_property
    def key(self) -> str:
        """Hex SHA-256 of plans and rate; equal numbers have equal keys, whatever their type on disk."""
        digest = hashlib.sha256(f"{self.plans.shape} {float(self.dt)!r}".encode())
        digest.update(np.ascontiguousarray(self.plans, "<f8").tobytes())
        return digest.hexdigest()


def load_vocabulary(path: Path | str, dt: float = DT) -> Vocabulary:
    """Return the vocabulary in a .npy file.

    Args:
        path: of an array (plans, poses, 3).
        dt: time between its poses [s]; the file does not say.

    Raises:
        ConfigError: there is no such file, or it holds no vocabulary of that rate.
    """
    try:
        plans = np.load(path, allow_pickle=False)
        if not isinstance(plans, np.ndarray):
            raise ValueError("several arrays")
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(
            f"the vocabulary {path} cannot be read ({error}), expected a .npy file: make one with "
            "`algengine vocabulary`"
        ) from None
    try:
        return Vocabulary(plans, dt)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
