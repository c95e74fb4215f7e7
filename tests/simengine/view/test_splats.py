"""Gaussians as a browser takes them."""

import numpy as np
import pytest

from render_factories import make_gaussian, make_random_gaussians
from simengine.render.gaussians import FlatGaussians
from simengine.view.splats import splat_cloud


def test_a_round_gaussian_keeps_place_colour_and_size():
    cloud = splat_cloud(make_gaussian((1.0, 2.0, 3.0), sigma=0.2, opacity=0.7, rgb=(0.1, 0.5, 0.9)))
    assert cloud.centers[0] == pytest.approx([1.0, 2.0, 3.0])
    assert cloud.covariances[0] == pytest.approx(np.eye(3) * 0.04)
    assert cloud.rgbs[0] == pytest.approx([0.1, 0.5, 0.9], abs=1e-6)
    assert cloud.opacities.shape == (1, 1)
    assert cloud.opacities[0, 0] == pytest.approx(0.7)


def test_a_turned_gaussian_turns_its_covariance():
    quarter = [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]
    gaussian = FlatGaussians(
        np.zeros((1, 3)), np.array([quarter]), np.array([[2.0, 1.0, 0.5]]), np.ones(1), np.zeros((1, 1, 3))
    )
    assert splat_cloud(gaussian).covariances[0] == pytest.approx(np.diag([1.0, 4.0, 0.25]), abs=1e-6)


def test_thinning_keeps_the_area_covered_and_is_the_same_every_time():
    gaussians = make_random_gaussians(4000)
    whole, thin = splat_cloud(gaussians), splat_cloud(gaussians, 1000)
    assert len(thin.centers) == 1000
    kept = {tuple(center) for center in whole.centers.tolist()}
    assert {tuple(center) for center in thin.centers.tolist()} <= kept
    area = np.trace(whole.covariances, axis1=1, axis2=2).sum()
    assert np.trace(thin.covariances, axis1=1, axis2=2).sum() == pytest.approx(area, rel=0.1)
    assert np.array_equal(thin.centers, splat_cloud(gaussians, 1000).centers)


def test_few_enough_gaussians_are_left_alone():
    gaussians = make_random_gaussians(50)
    assert np.array_equal(splat_cloud(gaussians, 50).covariances, splat_cloud(gaussians).covariances)


def test_nothing_overflows_half_precision():
    cloud = splat_cloud(make_gaussian((0.0, 0.0, 0.0), sigma=5000.0))
    assert np.isfinite(cloud.covariances.astype(np.float16)).all()
