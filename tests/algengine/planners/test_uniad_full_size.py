"""The perception stage with both heads: reduced on the CPU, at full size on a GPU."""

import pytest
import torch

from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.engine.configs import load_config
from perception_factories import AREA, noise_clip, tiny_uniad_config

pytestmark = pytest.mark.mm

SMALL_MAP = {
    "type": "PansegformerHead",
    "dims": 32,
    "heads": 2,
    "points": 2,
    "hidden": 32,
    "num_queries": 8,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "things_blocks": 1,
    "stuff_blocks": 1,
    "upsample": 1,
}


def train_steps(config: dict, device: str, steps: int, batch: int = 1, frames: int = 3) -> list[float]:
    """Return the sum of losses of some steps on clips of noise, and check what the model then says."""
    torch.manual_seed(0)
    model = registry.MODELS.build(config).to(device).train()
    clips = [noise_clip(config, frames, seed) for seed in range(batch)]
    data = model.data_preprocessor(planning_collate(clips), True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
    history = []
    for _ in range(steps):
        losses = model(**data, mode="loss")
        total = sum(value for name, value in losses.items() if "loss" in name)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 35.0)
        optimizer.step()
        history.append(total.item())
    with torch.no_grad():
        [sample, *_] = model.eval()(**data, mode="predict")
    assert torch.isfinite(sample.pred_objects.boxes).all()
    assert sample.pred_objects.boxes.shape[0] == frames
    assert sample.pred_map.drivable.shape == sample.gt_map_drivable.shape
    return history


def test_both_heads_learn_on_the_cpu():
    # The tiny model's area and cells; labels of the map on the same cells.
    config = tiny_uniad_config(map_head=SMALL_MAP)
    assert config["bev_encoder"]["x_range"] == AREA["x_range"]
    losses = train_steps(config, "cpu", 8, batch=2)
    assert losses[-1] < losses[0]


@pytest.mark.gpu
@pytest.mark.slow
def test_full_size_learns_on_a_gpu():
    config = load_config("navformer/track_map_nuplan_r50_navtrain").model.to_dict()
    torch.cuda.reset_peak_memory_stats()
    losses = train_steps(config, "cuda", 8)
    assert losses[-1] < losses[0]
    print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
