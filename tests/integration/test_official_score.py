"""The official PDM score from inputs to result, and that it is the same on every machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import official_score
from factories import shared_data
from pdm_golden import FOLDER


def assert_official(path: Path) -> None:
    with np.load(path, allow_pickle=False) as data:
        expected = data["out_pair"]
    np.testing.assert_allclose(official_score.official_pairs(path), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_official_pairs_from_inputs_alone(name: str) -> None:
    assert_official(FOLDER / f"{name}.npz")


def test_all_shared_scenes() -> None:
    paths = sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz"))
    assert len(paths) == 20
    for path in paths:
        assert_official(path)


def printed(threads: int, **environment: str) -> list[float]:
    script = Path(official_score.__file__)
    done = subprocess.run(
        [sys.executable, str(script), str(threads)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [float.fromhex(word) for word in done.stdout.split()]


def test_threads_and_blas_kernels_change_nothing() -> None:
    one = printed(1)
    assert len(one) == 64 * 7 + 2 * 650
    for threads, environment in (
        (2, {}),
        (1, {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1"}),
        (2, {"OPENBLAS_CORETYPE": "Sandybridge", "OPENBLAS_NUM_THREADS": "2"}),
    ):
        other = printed(threads, **environment)
        assert other == one  # bit for bit; 1e-9 is asked for
