import numpy as np
import pytest
import torch

from alg_factories import make_vocabulary
from algengine import registry
from algengine.datasets.frames import camera_inputs
from algengine.engine.configs import load_config
from algengine.structures.planning_sample import PlanningDataSample
from simengine.render.rig import nuplan_rig

pytestmark = [pytest.mark.mm, pytest.mark.gpu]


def make_planner(name: str, **options):
    torch.manual_seed(0)
    planner = registry.MODELS.build(load_config(name).model.to_dict() | options)
    planner.head.vocabulary.copy_(torch.from_numpy(make_vocabulary(8192)))
    return planner.cuda()


def make_batch(batch: int, frames: int) -> dict:
    """Return noise for images, the rig of nuPlan, a car that drives straight on."""
    generator = torch.Generator().manual_seed(0)
    size = (960, 540)
    calibration = {k: torch.from_numpy(v) for k, v in camera_inputs(nuplan_rig(*size), size).items()}
    inputs = {key: value.expand(batch, *value.shape) for key, value in calibration.items()}
    shape = (batch, frames, 8, size[1], size[0], 3)
    inputs |= {
        "images": torch.randint(0, 255, shape, generator=generator, dtype=torch.uint8),
        "motion": torch.tensor([3.0, 0.0, 0.05]).expand(batch, frames, 3),
        "history": torch.randn(batch, frames, 4, 3, generator=generator),
        "velocity": torch.randn(batch, frames, 4, 2, generator=generator),
        "acceleration": torch.randn(batch, frames, 4, 2, generator=generator),
        "command": torch.ones(batch, frames, 4, dtype=torch.long),
        "history_valid": torch.ones(batch, frames, 4, dtype=torch.bool),
    }
    samples = []
    for b in range(batch):
        sample = PlanningDataSample()
        sample.gt_trajectory = torch.from_numpy(make_vocabulary(16)[b : b + 1]).expand(frames, -1, -1)
        sample.gt_valid = torch.ones(frames, 40, dtype=torch.bool)
        sample.gt_sub_scores = torch.randint(0, 2, (frames, 5, 8192), generator=generator).float()
        samples.append(sample)
    return {"inputs": inputs, "data_samples": samples}


@pytest.mark.parametrize("name", ["worldengine/e2e_vadv2_50pct", "navformer/e2e_hydramdp"])
def test_full_size_learns_on_a_gpu(name):
    planner = make_planner(name).train()
    batch = planner.data_preprocessor(make_batch(2, 4), training=True)
    optimizer = torch.optim.AdamW([p for p in planner.parameters() if p.requires_grad], lr=2e-4)
    losses = []
    for _ in range(8):
        parts = planner.forward(**batch, mode="loss")
        loss = sum(value for key, value in parts.items() if key.startswith("loss"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(p.grad is not None for p in planner.parameters() if p.requires_grad)


@pytest.mark.parametrize("compat", [False, True])
def test_full_size_scores_do_not_depend_on_the_form(compat):
    planner = make_planner("worldengine/e2e_vadv2_50pct", compat=compat, autocast="").eval()
    batch = planner.data_preprocessor(make_batch(1, 2))
    scores = {}
    for form in ("torch", "triton"):
        for module in planner.modules():
            if hasattr(module, "deformable"):
                module.deformable = form
        with torch.no_grad():
            scores[form] = planner.forward(**batch, mode="tensor")
    assert torch.allclose(scores["torch"], scores["triton"], atol=1e-3)
