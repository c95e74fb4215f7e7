"""Making, saving and loading the vocabulary: the fixed set of plans a planner chooses from.

Numpy and scipy only. M recorded futures, K plans, T poses.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from algengine.errors import RecordingError
from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically

_STRIDE = 5
_YAW_WEIGHT = 4.0


def motion_features(futures: np.ndarray) -> np.ndarray:
    """Return features (M, F) whose distances say how different two futures are to drive.

    Every fifth pose counts; early poses count more, because they are what a closed loop really executes.
    """
    picked = futures[:, _STRIDE - 1 :: _STRIDE]
    weight = np.linspace(1.5, 0.5, picked.shape[1])[None, :, None]
    yaw = np.unwrap(picked[..., 2:], axis=1) * _YAW_WEIGHT
    return (np.concatenate([picked[..., :2], yaw], axis=-1) * weight).reshape(len(futures), -1)


def balance(futures: np.ndarray, per_bin: int, rng: np.random.Generator) -> np.ndarray:
    """Return row indices in which no kind of motion (final speed x turn x change of speed) has over `per_bin` rows."""
    first = np.linalg.norm(futures[:, _STRIDE - 1, :2], axis=-1)
    last = np.linalg.norm(futures[:, -1, :2] - futures[:, -1 - _STRIDE, :2], axis=-1)
    key = np.stack([np.round(first), np.round(last), np.round(futures[:, -1, 2] / 0.1)], axis=-1).astype(
        np.int64
    )
    _, bins = np.unique(key, axis=0, return_inverse=True)
    shuffled = rng.permutation(len(futures))
    seen: dict[int, int] = {}
    kept = []
    for row in shuffled:
        b = int(bins.reshape(-1)[row])
        seen[b] = seen.get(b, 0) + 1
        if seen[b] <= per_bin:
            kept.append(row)
    return np.sort(np.array(kept))


def make_vocabulary(
    futures: np.ndarray, size: int, seed: int = 0, per_bin: int = 40, mirror: bool = True
) -> np.ndarray:
    """Return K plans (size, T, 3) float32 that cover `futures`: a standstill, then recorded futures.

    k-means over a set balanced by kind of motion gives the centres; the recorded future nearest to each centre is
    taken, so that every plan was really driven.

    Args:
        futures: (M, T, 3) recorded futures in their ego frames.
        size: K.
        seed: of the draw and of k-means.
        per_bin: see `balance`.
        mirror: whether to add each future mirrored left to right.

    Raises:
        RecordingError: there are fewer distinct futures than plans.
        ConfigError: `size` or `seed` is too small.
    """
    if size < 2 or seed < 0:
        raise ConfigError(
            f"a vocabulary of {size} plans with seed {seed} cannot be made, expected 2 plans or more, a standstill "
            "and one to drive, and a seed of at least 0"
        )
    futures = np.asarray(futures, dtype=np.float64)
    if mirror:
        futures = np.concatenate([futures, futures * np.array([1.0, -1.0, -1.0])])
    rng = np.random.default_rng(seed)
    if len(futures):
        _, first = np.unique(np.round(motion_features(futures), 2), axis=0, return_index=True)
        futures = futures[np.sort(first)]
    pool = futures[balance(futures, per_bin, rng)] if len(futures) else futures
    if len(pool) < size:
        raise RecordingError(
            f"a vocabulary of {size} plans needs at least as many different recorded futures, got {len(pool)}: "
            "record more scenarios or ask for fewer plans"
        )
    features = motion_features(pool)
    with warnings.catch_warnings():
        # A centre that lost all its members stays where it was, which is fine here.
        warnings.simplefilter("ignore", UserWarning)
        centers, _ = kmeans2(features, size - 1, iter=25, minit="++", rng=rng)
    chosen = _distinct_nearest(features, centers)
    standstill = np.zeros((1, *futures.shape[1:]))
    plans = np.concatenate([standstill, pool[chosen]])
    order = np.lexsort((plans[:, -1, 1], plans[:, -1, 0]))
    return plans[order].astype(np.float32)


def _distinct_nearest(features: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return for each centre a nearby row of `features` that no earlier centre took."""
    _, near = cKDTree(features).query(centers, k=min(16, len(features)))
    taken: set[int] = set()
    spare = iter(range(len(features)))
    for options in np.atleast_2d(near):
        free = next((int(i) for i in options if int(i) not in taken), None)
        if free is None:
            free = next(i for i in spare if i not in taken)
        taken.add(free)
    return np.array(sorted(taken))


def save_vocabulary(vocabulary: np.ndarray, path: Path) -> None:
    """Write plans (K, T, 3) as a .npy file, atomically."""
    buffer = io.BytesIO()
    np.save(buffer, vocabulary.astype(np.float32))
    write_atomically(path, buffer.getvalue())


def load_vocabulary(path: str | Path) -> np.ndarray:
    """Return plans (K, T, 3) float32 stored at `path`.

    Raises:
        RecordingError: the file is missing or does not hold finite poses of that shape.
    """
    try:
        vocabulary = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"the vocabulary {path} cannot be read ({error}): make one with `algengine vocabulary`"
        ) from error
    if vocabulary.ndim != 3 or vocabulary.shape[-1] != 3 or not np.isfinite(vocabulary).all():
        raise RecordingError(
            f"the vocabulary {path} has shape {vocabulary.shape}, expected finite poses (plans, poses, 3): "
            "make it again"
        )
    return vocabulary.astype(np.float32)


def coverage(futures: np.ndarray, vocabulary: np.ndarray) -> tuple[float, float]:
    """Return the mean and the 95th percentile over futures (M, T, 3) of the distance to the nearest plan [m].

    The distance is the mean over every fifth pose.
    """
    plans = vocabulary[:, _STRIDE - 1 :: _STRIDE, :2]
    nearest = []
    for future in futures[:, _STRIDE - 1 :: _STRIDE, :2]:
        nearest.append(np.linalg.norm(plans - future, axis=-1).mean(-1).min())
    return float(np.mean(nearest)), float(np.percentile(nearest, 95))
