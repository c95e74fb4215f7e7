"""Sets of polygons as words of bits, whatever the polygons are."""

import numpy as np
import pytest
import shapely

from simengine.metrics.pdm.polygon_index import BITS, build_index


@pytest.mark.parametrize("count", [0, 1, BITS, BITS + 1, 3 * BITS + 1])
def test_polygons_without_area_fill_words_too(count: int) -> None:
    index = build_index(np.array([shapely.Polygon()] * count, dtype=object))
    words = index.words(np.arange(count))
    assert sum(int(word).bit_count() for word in words) == count
    assert index.containing(np.zeros((2, 2))).tolist() == [[0] * len(words)] * 2
