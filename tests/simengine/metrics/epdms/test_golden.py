"""The extended score against golden numbers of NAVSIM v2.2: everything discrete is equal, the rest within 1e-6."""

from dataclasses import replace

import numpy as np
import pytest

from epdms_golden import ExtendedGolden, load_extended_golden
from factories import shared_data
from pdm_golden import FOLDER
from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, SUB_SCORES, multiplier_of
from simengine.metrics.epdms.scorer import EpdmsBatch, PreviousFrame, epdms_batch

NAMES = SUB_SCORES[:8]


def assert_columns(result: EpdmsBatch, expected: np.ndarray) -> None:
    for column, name in enumerate(NAMES):
        if name == "ego_progress":
            np.testing.assert_allclose(result.ego_progress, expected[:, column], atol=1e-6)
        else:
            np.testing.assert_array_equal(result.columns[name], expected[:, column], name)


def rows_after_reference(result: EpdmsBatch) -> EpdmsBatch:
    columns = {name: values[1:] for name, values in result.columns.items()}
    return replace(result, **columns, score=result.score[1:])


def assert_reproduced(golden: ExtendedGolden) -> None:
    data, unfiltered = golden.data, replace(golden.scene, human_states=None)
    assert tuple(data["columns"][:8]) == NAMES
    batch = epdms_batch(golden.states, unfiltered)
    assert_columns(batch, data["v2_batch"])
    np.testing.assert_allclose(batch.pdm.raw_progress, data["v2_progress_raw"], atol=1e-6)
    np.testing.assert_array_equal(multiplier_of(batch.columns), data["v2_batch"][:, 8])
    np.testing.assert_allclose(batch.score, data["v2_batch"][:, 9], atol=1e-6)
    pairs = rows_after_reference(epdms_batch(golden.states, unfiltered, pairwise=True))
    assert_columns(pairs, data["v2_pair"])
    np.testing.assert_allclose(pairs.score, data["v2_pair"][:, 9], atol=1e-6)
    before = np.concatenate([golden.states[:1], np.roll(golden.states[1:], -1, axis=0)])
    final = epdms_batch(golden.states, golden.scene, pairwise=True, previous=PreviousFrame(before, 0.5))
    final = rows_after_reference(final)
    assert_columns(final, data["v2_pair_human_filtered"])
    np.testing.assert_array_equal(final.columns[EXTENDED_COMFORT], data["v2_extended_comfort"])
    np.testing.assert_allclose(final.score, data["v2_epdms"], atol=1e-6)


@pytest.mark.parametrize("name", ["scene_009", "scene_012", "scene_018"])
def test_committed_scenes(name: str) -> None:
    assert_reproduced(load_extended_golden(FOLDER / f"{name}.npz"))


def test_all_shared_scenes() -> None:
    paths = sorted(shared_data("golden", "pdm").glob("scene_[0-9][0-9][0-9].npz"))
    assert len(paths) == 20
    for path in paths:
        assert_reproduced(load_extended_golden(path))


def test_pairs_are_batches_of_two() -> None:
    golden = load_extended_golden(FOLDER / "scene_012.npz")
    together = epdms_batch(golden.states, golden.scene, pairwise=True)
    for row in (1, 7, 40, 64):
        alone = epdms_batch(golden.states[[0, row]], golden.scene)
        for name in NAMES:
            assert alone.columns[name][1] == together.columns[name][row]
        assert alone.score[1] == together.score[row]
