"""Universal Transverse Mercator on WGS84: between longitude and latitude and the metres of nuPlan's maps.

Formulas: Karney, Transverse Mercator with an accuracy of a few nanometers, J. Geodesy 85 (2011), eqs. 7-36,
the series of Krueger to sixth order in the third flattening.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_RADIUS, _FLATTENING = 6378137.0, 1 / 298.257223563
_SCALE, _FALSE_EASTING, _FALSE_NORTHING = 0.9996, 500_000.0, 10_000_000.0
_N = _FLATTENING / (2 - _FLATTENING)
_ECCENTRICITY = np.sqrt(_FLATTENING * (2 - _FLATTENING))
_RECTIFYING = _RADIUS / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64 + _N**6 / 256)
_NEWTON_STEPS = 5
# Rows: order of the harmonic; columns: power of n from the first.
_ALPHA = np.array(
    [
        [1 / 2, -2 / 3, 5 / 16, 41 / 180, -127 / 288, 7891 / 37800],
        [0, 13 / 48, -3 / 5, 557 / 1440, 281 / 630, -1983433 / 1935360],
        [0, 0, 61 / 240, -103 / 140, 15061 / 26880, 167603 / 181440],
        [0, 0, 0, 49561 / 161280, -179 / 168, 6601661 / 7257600],
        [0, 0, 0, 0, 34729 / 80640, -3418889 / 1995840],
        [0, 0, 0, 0, 0, 212378941 / 319334400],
    ]
)
_BETA = np.array(
    [
        [1 / 2, -2 / 3, 37 / 96, -1 / 360, -81 / 512, 96199 / 604800],
        [0, 1 / 48, 1 / 15, -437 / 1440, 46 / 105, -1118711 / 3870720],
        [0, 0, 17 / 480, -37 / 840, -209 / 4480, 5569 / 90720],
        [0, 0, 0, 4397 / 161280, -11 / 504, -830251 / 7257600],
        [0, 0, 0, 0, 4583 / 161280, -108847 / 3991680],
        [0, 0, 0, 0, 0, 20648693 / 638668800],
    ]
)


@dataclass(frozen=True)
class Utm:
    """One zone of the grid.

    Attributes:
        zone: 1 to 60.
        south: whether northings count from 10,000 km south of the equator.
    """

    zone: int
    south: bool = False

    @classmethod
    def from_epsg(cls, code: int) -> Utm | None:
        """Return the zone of an EPSG code (326zz north, 327zz south), None for any other code."""
        hemisphere, zone = divmod(code, 100)
        return cls(zone, hemisphere == 327) if hemisphere in (326, 327) and 1 <= zone <= 60 else None

    @property
    def epsg(self) -> int:
        """The EPSG code of the zone."""
        return (32700 if self.south else 32600) + self.zone

    def forward(self, lonlat: np.ndarray) -> np.ndarray:
        """Return easting and northing (N, 2) [m] of longitude and latitude (N, 2) [degrees]."""
        lon, lat = np.radians(np.asarray(lonlat, np.float64)).T
        lam = lon - self._meridian
        tau = np.tan(lat)
        conformal = _conformal(tau)
        first = np.arctan2(conformal, np.cos(lam))
        second = np.arcsinh(np.sin(lam) / np.hypot(conformal, np.cos(lam)))
        real, imaginary = _series(_ALPHA, first, second)
        east = _FALSE_EASTING + _SCALE * _RECTIFYING * (second + imaginary)
        north = self._false_northing + _SCALE * _RECTIFYING * (first + real)
        return np.stack([east, north], axis=1)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Return longitude and latitude (N, 2) [degrees] of easting and northing (N, 2) [m]."""
        east, north = np.asarray(points, np.float64).T
        first = (north - self._false_northing) / (_SCALE * _RECTIFYING)
        second = (east - _FALSE_EASTING) / (_SCALE * _RECTIFYING)
        real, imaginary = _series(_BETA, first, second)
        first, second = first - real, second - imaginary
        lam = np.arctan2(np.sinh(second), np.cos(first))
        lat = np.arctan(_from_conformal(np.sin(first) / np.hypot(np.sinh(second), np.cos(first))))
        return np.degrees(np.stack([lam + self._meridian, lat], axis=1))

    @property
    def _meridian(self) -> float:
        return float(np.radians(6 * self.zone - 183))

    @property
    def _false_northing(self) -> float:
        return _FALSE_NORTHING if self.south else 0.0


def _series(table: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the real and the imaginary part of the correction series."""
    coefficients = table @ _N ** np.arange(1, 7)
    real, imaginary = np.zeros_like(first), np.zeros_like(first)
    for order, coefficient in enumerate(coefficients, start=1):
        real += coefficient * np.sin(2 * order * first) * np.cosh(2 * order * second)
        imaginary += coefficient * np.cos(2 * order * first) * np.sinh(2 * order * second)
    return real, imaginary


def _conformal(tau: np.ndarray) -> np.ndarray:
    """Return the tangent of the conformal latitude from that of the geographic one."""
    sigma = np.sinh(_ECCENTRICITY * np.arctanh(_ECCENTRICITY * tau / np.hypot(1, tau)))
    return tau * np.hypot(1, sigma) - sigma * np.hypot(1, tau)


def _from_conformal(wanted: np.ndarray) -> np.ndarray:
    """Return the inverse of `_conformal` by Newton's method."""
    squared = _ECCENTRICITY**2
    tau = wanted / (1 - squared)
    for _ in range(_NEWTON_STEPS):
        got = _conformal(tau)
        slope = (1 - squared) * np.hypot(1, got) * np.hypot(1, tau) / (1 + (1 - squared) * tau**2)
        tau = tau + (wanted - got) / slope
    return tau
