"""How sure the difference of two rows is, where scenarios and trainings are both samples.

T trainings, N scenarios, R resamples.
"""

from __future__ import annotations

import numpy as np

from simengine.metrics.summary import RESAMPLES


def paired_interval(
    ours: np.ndarray, theirs: np.ndarray, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of `ours` (T, N) - `theirs` (T', N) of the same scenarios.

    Every resample draws scenarios, the same for both, and trainings of each. Trainings meet the same scenarios, so
    their results are not T N independent ones; and with the trainings at hand taken for all there are, the interval
    would be too narrow for what other seeds would give (two-way resampling; Owen, The pigeonhole bootstrap, 2007).
    With one training each it is `simengine.metrics.summary.bootstrap_interval` of the differences.
    """
    rng = np.random.default_rng(seed)
    scenarios = rng.integers(0, ours.shape[1], (RESAMPLES, ours.shape[1]))
    means = _drawn_means(ours, scenarios, rng) - _drawn_means(theirs, scenarios, rng)
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _drawn_means(values: np.ndarray, scenarios: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the mean (R,) of values (T, N) over the scenarios (R, N) and as many drawn trainings as there are."""
    each = np.stack([row[scenarios].mean(axis=1) for row in values])
    trainings = rng.integers(0, len(values), (len(values), len(scenarios)))
    return np.take_along_axis(each, trainings, axis=0).mean(axis=0)
