"""How far the images of a rollout can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.check import require_finite, require_shape

MATRICES = ("distance", "angle_deg", "coverage", "sky", "score")


@dataclass(frozen=True)
class RenderTrust:
    """Trust in the images of C cameras at D decisions; docs/render_trust.md has the formulas.

    Attributes:
        channels: C names.
        distance: (D, C) float32 to the nearest recorded view [m].
        angle_deg: (D, C) float32 rotation from that view [degrees].
        coverage: (D, C) float32 share of the image, sky left out, that confident Gaussians cover.
        sky: (D, C) float32 share of the image that is sky.
        score: (D, C) float32 in [0, 1], all of it together.
    """

    channels: tuple[str, ...]
    distance: np.ndarray
    angle_deg: np.ndarray
    coverage: np.ndarray
    sky: np.ndarray
    score: np.ndarray

    def __post_init__(self) -> None:
        for name in MATRICES:
            require_shape(f"trust.{name}", getattr(self, name), (len(self.score), len(self.channels)))
            require_finite(f"trust.{name}", getattr(self, name))

    @property
    def lowest(self) -> np.ndarray:
        """Trust in each decision (D,): that in its worst camera; 1 without cameras."""
        return self.score.min(axis=1, initial=1.0)

    def mask(self, threshold: float) -> np.ndarray:
        """Return which decisions (D,) were made from images of at least `threshold`."""
        return self.lowest >= threshold
