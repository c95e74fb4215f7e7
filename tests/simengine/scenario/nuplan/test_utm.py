import numpy as np
import pytest

from simengine.scenario.nuplan.utm import Utm

# Longitude, latitude -> easting, northing, by pyproj 3.7.2 (PROJ), one point in each city of nuPlan and one far south.
POINTS = {
    32611: ((-115.1728, 36.1147), (664450.9750620188, 3998216.3353241864)),
    32619: ((-71.048, 42.352), (331324.09530374163, 4690890.929613615)),
    32617: ((-79.952, 40.414), (588915.1798853427, 4474236.035787516)),
    32648: ((103.7876, 1.2997), (365114.5872144903, 143688.52192415795)),
    32733: ((15.3, -47.25), (522701.0606492152, 4767010.045461707)),
}


@pytest.mark.parametrize("epsg", sorted(POINTS))
def test_points_of_an_independent_implementation(epsg):
    lonlat, metres = (np.array([values]) for values in POINTS[epsg])
    zone = Utm.from_epsg(epsg)
    assert zone.epsg == epsg
    np.testing.assert_allclose(zone.forward(lonlat), metres, atol=1e-8)
    np.testing.assert_allclose(zone.inverse(metres), lonlat, atol=1e-13)


def test_there_and_back_over_whole_zones():
    rng = np.random.default_rng(5)
    for zone in (Utm(1), Utm(31), Utm(60, south=True)):
        lat = rng.uniform(-80, 0, 500) if zone.south else rng.uniform(0, 84, 500)
        lonlat = np.stack([6 * zone.zone - 183 + rng.uniform(-3.5, 3.5, 500), lat], axis=1)
        np.testing.assert_allclose(zone.inverse(zone.forward(lonlat)), lonlat, atol=1e-12)


def test_short_distances_are_true_to_the_scale_of_the_grid():
    # On the central meridian the scale is 0.9996; a second of latitude near 45 degrees is 30.87 m on the ellipsoid.
    zone = Utm(33)
    north = np.diff(zone.forward(np.array([[15.0, 45.0], [15.0, 45.0 + 1 / 3600]]))[:, 1])[0]
    sin = np.sin(np.radians(45.0))
    e2 = (1 / 298.257223563) * (2 - 1 / 298.257223563)
    meridian = 6378137.0 * (1 - e2) / (1 - e2 * sin * sin) ** 1.5
    assert north == pytest.approx(0.9996 * meridian * np.radians(1 / 3600), rel=1e-6)


@pytest.mark.parametrize("code", [4326, 3857, 32600, 32661, 32700, 32761])
def test_other_codes_are_no_zones(code):
    assert Utm.from_epsg(code) is None
