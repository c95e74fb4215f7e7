import numpy as np
import pytest
import torch

from alg_factories import tiny_model_config
from algengine import registry
from algengine.datasets.collate import planning_collate
from algengine.engine.configs import load_config
from algengine.engine.layout import compile_parts, prefer_channels_last
from algengine.engine.synthetic import (
    synthetic_observation,
    synthetic_rig,
    synthetic_sample,
    synthetic_vocabulary,
)
from algengine.serving.planner import VadPlanner
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm


def full_model(**overrides) -> dict:
    """Return the model of the full-size HydraMDP, its maps and images shrunk."""
    config = load_config("navformer/e2e_hydramdp").model.to_dict()
    config |= {"image_size": (96, 54), "bev_head": load_config("vadv2_demo").model.bev_head.to_dict()}
    config["bev_head"]["dims"] = config["neck"]["out_channels"]
    for part in ("bev_encoder", "head"):
        config[part]["cell"] = 6.4
    config["head"]["vocabulary_size"] = 32
    config["bev_encoder"]["num_layers"] = config["head"]["num_layers"] = 1
    return config | overrides


def test_every_part_of_a_model_learns_from_synthetic_samples():
    torch.manual_seed(0)
    config = full_model(frozen=())
    model = registry.MODELS.build(config).train()
    model.head.vocabulary.copy_(torch.from_numpy(synthetic_vocabulary(32)))
    batch = planning_collate([synthetic_sample(config, 2, seed) for seed in range(2)])
    losses = model.forward(**model.data_preprocessor(batch, training=True), mode="loss")
    assert {"loss_imitation", "loss_bev"} < set(losses)
    sum(value for name, value in losses.items() if name.startswith("loss")).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_planner_answers_synthetic_observations_and_remembers():
    config = tiny_model_config(12) | {
        "bev_encoder": tiny_model_config(12)["bev_encoder"] | {"num_cameras": 8}
    }
    model = registry.MODELS.build(config)
    model.head.vocabulary.copy_(torch.from_numpy(synthetic_vocabulary(12)))
    planner = VadPlanner(model, keep_scores=True)
    first, second = (planner.plan_batch([synthetic_observation(config, "a", step)])[0] for step in (0, 1))
    planner.forget("a")
    fresh = planner.plan_batch([synthetic_observation(config, "a", 1)])[0]
    assert not np.allclose(second.scores, fresh.scores)
    assert first.poses.shape == (40, 3)


def test_cameras_look_around():
    for camera in synthetic_rig(8, (96, 54)):
        rotation = camera.ego_from_cam[:3, :3]
        assert np.allclose(rotation @ rotation.T, np.eye(3))
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        outward = camera.ego_from_cam[:2, 3]
        assert np.allclose(rotation[:2, 2], outward / np.linalg.norm(outward))


def test_seeds_decide():
    a, b, c = (synthetic_sample(full_model(), 1, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a["inputs"][k], b["inputs"][k]) for k in a["inputs"])
    assert not torch.equal(a["inputs"]["images"], c["inputs"]["images"])


def test_layout_changes_no_name_and_no_result():
    torch.manual_seed(0)
    model = registry.MODELS.build(tiny_model_config(12)).eval()
    images = torch.randn(1, 2, 3, 64, 64)
    names, wanted = list(model.state_dict()), model.extract_feat(images)
    prefer_channels_last(model)
    compile_parts(model, ("backbone", "neck"), backend="eager")
    assert model.neck.fpn_convs[0].conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert list(model.state_dict()) == names
    assert all(
        torch.allclose(x, y, atol=1e-5) for x, y in zip(model.extract_feat(images), wanted, strict=True)
    )
    with pytest.raises(ConfigError, match="compile_parts names 'wheels'"):
        compile_parts(model, ["wheels"])
    torch._dynamo.reset()
