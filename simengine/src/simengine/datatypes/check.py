"""Shape and finiteness checks with messages that name the field."""

from __future__ import annotations

import numpy as np

from simengine.errors import ScenarioFormatError


def require_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise `ScenarioFormatError` unless `array` has exactly `shape`."""
    if tuple(array.shape) != shape:
        raise ScenarioFormatError(
            f"{name} has shape {tuple(array.shape)}, expected {shape}: check how the file was written"
        )


def require_finite(name: str, array: np.ndarray) -> None:
    """Raise `ScenarioFormatError` if `array` holds NaN or infinity."""
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ScenarioFormatError(
            f"{name} is not finite at index {where} ({int((~finite).sum())} values in all), expected "
            "finite numbers: mark such frames as not valid or repair the log"
        )
