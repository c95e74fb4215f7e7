from __future__ import annotations

import numpy as np
import pytest

from render_factories import make_gaussian, make_random_gaussians
from simengine.errors import AssetError
from simengine.render.gaussians import FlatGaussians, concatenate


def test_concatenate_keeps_order_and_pads_colours():
    low, high = make_random_gaussians(3), make_random_gaussians(2, degree=2, seed=1)
    joined = concatenate([low, FlatGaussians.empty(), high])
    assert len(joined) == 5 and joined.sh_degree == 2
    np.testing.assert_array_equal(joined.means, np.concatenate([low.means, high.means]))
    np.testing.assert_array_equal(joined.sh[:3, :1], low.sh)
    assert not joined.sh[:3, 1:].any()
    np.testing.assert_array_equal(joined.sh[3:], high.sh)


def test_concatenate_of_nothing_is_empty():
    assert len(concatenate([])) == 0 and len(concatenate([FlatGaussians.empty()])) == 0


def test_wrong_shapes_name_the_field():
    good = make_gaussian((0, 0, 1))
    with pytest.raises(AssetError, match="quats"):
        FlatGaussians(good.means, np.zeros((1, 3)), good.scales, good.opacities, good.sh)
    with pytest.raises(AssetError, match="K in"):
        FlatGaussians(good.means, good.quats, good.scales, good.opacities, np.zeros((1, 5, 3)))
