"""gsplat and the processor agree on every kind of node, in both compositions."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_random_gaussians
from simengine.render.assets.asset import Asset, AssetNode, FourierColor, NodeKind
from simengine.render.assets.corrected import CorrectedStage
from simengine.render.assets.published import PublishedStage
from simengine.render.cpu_backend import CpuBackend
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig
from stage_factories import RECON2WORLD, car_at, log_of, make_stage_scenario

MIN_PSNR = 45.0


def asset_of_all_kinds() -> Asset:
    ground = make_random_gaussians(3000, 3, seed=0, depth=30.0)
    far = make_random_gaussians(500, 1, seed=1, depth=1.0)
    sky = replace(
        far,
        means=200.0 * far.means / np.linalg.norm(far.means, axis=1, keepdims=True),
        scales=60 * far.scales,
    )
    body = make_random_gaussians(200, 3, seed=2, depth=1.0)
    series = FourierColor(np.random.default_rng(3).normal(0, 0.3, (200, 5, 3)).astype(np.float32))
    log = log_of((2.0, -20.0, 5.0, 0.3), (3.0, -20.0, 5.0, 0.4), (4.0, -20.0, 5.0, 0.5))
    nodes = [
        AssetNode(
            "background", NodeKind.BACKGROUND, replace(ground, means=ground.means + np.float32([-10, -20, 5]))
        ),
        AssetNode("skybox", NodeKind.SKY, sky),
        AssetNode("rigid_abc", NodeKind.RIGID, body, log),
        AssetNode("mirrored_abc", NodeKind.MIRRORED, make_random_gaussians(100, 3, seed=4, depth=1.0), log),
        AssetNode("fourier_abc", NodeKind.RIGID, body, log, series),
        AssetNode(
            "parked_abc",
            NodeKind.RIGID,
            make_random_gaussians(100, 0, seed=5),
            log_of((6.0, -18.0, 5.0, 1.0)),
        ),
    ]
    return Asset(tuple(nodes), RECON2WORLD)


def images(backend, stage_type) -> dict[str, np.ndarray]:
    scenario = make_stage_scenario()
    stage = stage_type(scenario, asset_of_all_kinds())
    renderer = SceneRenderer(backend, open_scene=lambda _: stage)
    renderer.load(scenario)
    return renderer.render(np.zeros(3), car_at(12.0, 1.0, 0.7), nuplan_rig(480, 270), 1)


@pytest.mark.parametrize("stage_type", [CorrectedStage, PublishedStage])
def test_every_kind_is_seen(stage_type):
    drawn = images(CpuBackend(1), stage_type)
    assert len(drawn) == 8 and all(image.std() > 5 for image in drawn.values())


@pytest.mark.gpu
@pytest.mark.parametrize("stage_type", [CorrectedStage, PublishedStage])
def test_gsplat_equals_the_processor(stage_type):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from simengine.render.gsplat_backend import GsplatBackend

    fast, slow = images(GsplatBackend(), stage_type), images(CpuBackend(), stage_type)
    for name, image in fast.items():
        error = np.mean((image.astype(np.float64) - slow[name]) ** 2)
        assert 10 * np.log10(255.0**2 / max(error, 1e-6)) > MIN_PSNR, name
