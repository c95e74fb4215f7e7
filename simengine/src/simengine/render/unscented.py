"""Parameters and rules of the unscented projection, the same for every backend.

Seven points of a Gaussian, its centre and two on each axis, go through lens and shutter; mean and covariance of where
they land make the Gaussian on the image (Wan and van der Merwe 2000; 3DGUT, Wu et al. 2025).
"""

from __future__ import annotations

ALPHA = 0.1
BETA = 2.0
SPREAD = ALPHA * 3.0**0.5
"""Distance of the six outer points from the centre, in standard deviations."""
WEIGHT = 1.0 / (2.0 * SPREAD**2)
"""Weight of each outer point."""
CENTER_WEIGHT = BETA - ALPHA**2
"""Weight in the covariance of the shift that the outer points give to the mean."""
MARGIN = 0.5
"""Centres that land farther than this beyond a border, as a share of the image size, are not drawn."""
MIN_DEPTH_SHARE = 0.5
"""Outer points count as at least this share of the depth of the centre, so that none passes behind the camera."""
SHUTTER_ITERATIONS = 3
"""Corrections of the row that a point falls on; each leaves less than a tenth of the error."""
