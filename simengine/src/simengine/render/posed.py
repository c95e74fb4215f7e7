"""A scene with everything in its place, for what is not a camera image: lidars and render trust."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.scene import SKY, SplatScene


@dataclass(frozen=True)
class PosedScene:
    """All Gaussians at one instant, in the frame of the scene.

    Attributes:
        solid: what never moves, without the sky; the same object in every frame.
        sky: the sky; the same object in every frame.
        moving: agents and lit lights.
        scene_from_ego: (4, 4) pose of the ego, rear axle on the ground.
    """

    solid: FlatGaussians
    sky: FlatGaussians
    moving: FlatGaussians
    scene_from_ego: np.ndarray


def split_sky(scene: SplatScene) -> tuple[FlatGaussians, FlatGaussians]:
    """Return the static Gaussians that are no sky, and those that are."""
    static = [node for node in scene.nodes.values() if node.is_static]
    sky = [node.gaussians for node in static if node.name == SKY]
    return concatenate([node.gaussians for node in static if node.name != SKY]), concatenate(sky)
