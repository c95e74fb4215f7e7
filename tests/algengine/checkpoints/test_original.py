import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint as mmengine_load

from alg_factories import make_log, make_observation
from algengine.checkpoints.original import convert_original, is_original
from algengine.cli.main import main
from algengine.engine.configs import load_config
from algengine.engine.original_weights import load_original, read_original
from algengine.engine.weights import build_planner
from algengine.errors import CheckpointError
from algengine.serving.load import load_planner
from original_manifest import Sizes, make_state, perception_entries, planner_entries, unused_entries
from published_factories import SMALL, build_small, small_config, small_state

pytestmark = pytest.mark.mm


def write(path, state):
    """Write a checkpoint as the original's training does."""
    content = {"meta": {"epoch": 8, "config": "text", "CLASSES": ["vehicle"]}, "state_dict": state}
    torch.save(content | {"optimizer": {"state": {}, "param_groups": []}}, path)
    return path


@pytest.mark.parametrize("name", ["worldengine/e2e_vadv2_50pct", "navformer/e2e_hydramdp"])
def test_full_size_manifest_loads_with_nothing_missing(name):
    config = load_config(name).model.to_dict() | {"compat": True}
    with torch.device("meta"):
        planner = build_planner(config)
        sizes = Sizes(sub_scores=config["head"]["sub_scores"])
        entries = itertools.chain(planner_entries(sizes), unused_entries(sizes))
        state = {name: torch.empty(shape) for name, shape in entries}
    converted, report = convert_original(state, planner)
    assert converted.keys() == planner.state_dict().keys()
    assert report.loaded == len(list(planner_entries(sizes))) - 2  # three projections become one
    assert report.fresh == ()
    assert report.dropped.keys() == {
        "detection branches",
        "detection decoder",
        "detection queries",
        "map head",
        "memory bank",
        "query interaction",
        "track queries",
        "training criterion",
    }


def test_manifest_has_the_published_number_of_parameters():
    # Millions, from section 1.10 of the reference.
    def count(entries, prefix):
        return sum(torch.Size(shape).numel() for name, shape in entries if name.startswith(prefix)) / 1e6

    planner = list(planner_entries())
    assert count(planner, "planning_head.") == pytest.approx(6.60 + 0.98, abs=0.005)
    hydra = list(planner_entries(Sizes(sub_scores=True)))
    assert count(hydra, "planning_head.") == pytest.approx(7.92 + 0.98, abs=0.005)
    assert count(planner, "pts_bbox_head.transformer.encoder") == pytest.approx(4.94, abs=0.005)
    assert count(unused_entries(), "pts_bbox_head.transformer.decoder") == pytest.approx(4.10, abs=0.005)


def test_every_tensor_lands_where_its_module_reads_it():
    state = small_state()
    planner = build_small(compat=True)
    planner.load_state_dict(state)
    # A convolution of one cell, a stack of three, and reordered rows; all else is renamed only.
    q, k, v = (state[f"planning_head.encoder.self_attn.to_{part}.weight"] for part in "qkv")
    assert torch.equal(planner.head.encoder.qkv.weight, torch.cat([q, k, v]))
    value = state[
        "pts_bbox_head.transformer.encoder.layers.1.attentions.1.deformable_attention.value_proj.weight"
    ]
    assert torch.equal(planner.bev_encoder.layers[1].spatial.value[0].weight[..., 0, 0], value)
    name = (
        "pts_bbox_head.transformer.encoder.layers.1.attentions.1.deformable_attention.sampling_offsets.bias"
    )
    theirs = state[name].reshape(2, 4, 2, 4, 2)  # heads, levels, points, heights, xy
    ours = planner.bev_encoder.layers[1].spatial.offsets.bias.reshape(2, 4, 4, 2, 2)
    assert torch.equal(ours[1, 3, 2, 0], theirs[1, 3, 0, 2])
    assert torch.equal(planner.head.vocabulary, state["planning_head.vocab"])


def test_container_and_prefix_load_through_every_loader(tmp_path):
    state = small_state()
    path = write(tmp_path / "epoch_8.pth", {f"module.{name}": value for name, value in state.items()})
    by_us, by_mmengine, by_torch = (build_small(compat=True, seed=i) for i in range(3))
    report = load_original(by_us, path)
    assert report.summary() == f"{report.loaded} tensors loaded from a published checkpoint"
    mmengine_load(by_mmengine, str(path), map_location="cpu")
    by_torch.load_state_dict(read_original(path))
    for name, value in by_us.state_dict().items():
        assert torch.equal(value, by_mmengine.state_dict()[name]), name
        assert torch.equal(value, by_torch.state_dict()[name]), name


def test_our_own_weights_still_load():
    planner = build_small()
    assert not is_original(planner.state_dict())
    again = build_small(seed=1)
    again.load_state_dict(planner.state_dict())
    assert torch.equal(again.head.imitation[0].weight, planner.head.imitation[0].weight)


def test_perception_checkpoint_leaves_the_head_untrained(tmp_path):
    planner = build_small()
    before = planner.head.imitation[0].weight.clone()
    state = make_state(itertools.chain(perception_entries(SMALL), unused_entries(SMALL)))
    report = load_original(planner, write(tmp_path / "perception.pth", state))
    assert report.fresh == ("head",)
    assert "still untrained: head" in report.summary()
    assert "detection decoder" in report.summary()
    assert torch.equal(planner.head.imitation[0].weight, before)
    assert torch.equal(planner.bev_encoder.queries, state["pts_bbox_head.bev_embedding.weight"])


def test_vadv2_weights_start_a_hydramdp():
    planner = build_small(replace(SMALL, sub_scores=True), compat=True)
    _, report = convert_original(small_state(), planner)
    assert report.fresh == ("head.sub_scores",)
    _, other_way = convert_original(small_state(replace(SMALL, sub_scores=True)), build_small(compat=True))
    assert other_way.dropped == {"parts that this planner lacks": 20}


@pytest.mark.parametrize("merge", [True, False])
def test_low_rank_updates_are_added_or_left_out(merge):
    sizes = replace(SMALL, sub_scores=True, rank=3)
    state = make_state(planner_entries(sizes))
    planner = build_small(sizes, compat=True)
    converted, report = convert_original(state, planner, merge)
    assert report.lora == 8 + 4 + 10 + 6 * SMALL.decoder_layers
    assert report.dropped == {}
    base = state["planning_head.heads.noc.0.weight"]
    update = (
        state["planning_head.heads_lora.lora_noc.lora_0.B.weight"]
        @ (state["planning_head.heads_lora.lora_noc.lora_0.A.weight"])
    )
    expected = base + update / 3 if merge else base
    assert torch.allclose(converted["head.sub_scores.no_at_fault_collisions.0.weight"], expected)


def test_low_rank_updates_are_what_the_layers_compute():
    # y = W x + B A x / r in every layer; here in the one of the ego status.
    state = make_state(planner_entries(replace(SMALL, rank=4)))
    a, b = (state[f"planning_head.status_embed_lora.lora_0.{m}.weight"] for m in "AB")
    converted, _ = convert_original(state, build_small(compat=True))
    x = torch.randn(30)
    expected = state["planning_head.status_embed.0.weight"] @ x + (b @ (a @ x)) / 4
    assert torch.allclose(converted["head.status.embed.0.weight"] @ x, expected, atol=1e-5)


def drop(state, name):
    del state[name]


def narrow(state, name):
    state[name] = state[name][..., :-1]


BROKEN = [
    (drop, "planning_head.heads.imi.2.weight", "has no tensor for head.imitation.2.weight"),
    (drop, "img_neck.lateral_convs.1.conv.bias", "has no tensor for neck.lateral_convs.1.conv.bias"),
    (drop, "planning_head.encoder.self_attn.to_k.weight", "lacks the key projection"),
    (narrow, "planning_head.pos_embed.0.weight", r"has shape \(16, 1039\), expected \(16, 1040\)"),
    (
        narrow,
        "pts_bbox_head.bev_embedding.weight",
        r"bev_encoder.queries has shape \(36, 7\), expected \(36, 8\)",
    ),
    (
        narrow,
        "pts_bbox_head.transformer.encoder.layers.0.attentions.1.deformable_attention.sampling_offsets.bias",
        r"spatial.offsets.bias has shape \(127,\), expected \(128,\)",
    ),
]


@pytest.mark.parametrize(("damage", "name", "message"), BROKEN)
def test_damaged_checkpoints_are_one_sentence(damage, name, message):
    state = small_state()
    damage(state, name)
    with pytest.raises(CheckpointError, match=message) as caught:
        convert_original(state, build_small(compat=True))
    assert "\n" not in str(caught.value)


def test_half_an_update_is_one_sentence():
    state = make_state(planner_entries(replace(SMALL, rank=2)))
    del state["planning_head.encoder.lora_linear1.A.weight"]
    with pytest.raises(CheckpointError, match="has B only, expected A and B"):
        convert_original(state, build_small(compat=True))
    state = make_state(planner_entries(SMALL)) | {"planning_head.moe_lora.A.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match="belongs to no part"):
        convert_original(state, build_small(compat=True))


def test_a_published_head_needs_compat():
    with pytest.raises(CheckpointError, match="set model.compat=True"):
        convert_original(small_state(), build_small(compat=False))


def test_published_weights_are_served(tmp_path):
    logs = make_log("a", 6.0, 0.01, (64, 36))
    cameras = tuple(camera.name for camera in logs.cameras)
    sizes = replace(SMALL, cameras=len(cameras))
    state = small_state(sizes)
    path = write(tmp_path / "e2e_vadv2_50pct_ep8.pth", state)
    config = load_config("worldengine/e2e_vadv2_50pct_compat")
    config.model = small_config(sizes, compat=True)
    config.train_dataloader.dataset.cameras = cameras
    config.dump(tmp_path / "small.py")
    planner = load_planner(str(tmp_path / "small.py"), path, device="cpu", threads=1)
    for step in range(3):
        plan = planner.plan_batch([make_observation(logs, step)])[0]
        chosen = state["planning_head.vocab"][plan.vocabulary_index].numpy()
        assert np.array_equal(plan.poses.astype(np.float32), chosen)


def test_the_command_says_what_a_checkpoint_holds(tmp_path, capsys):
    config = load_config("worldengine/e2e_vadv2_50pct")
    config.model = small_config()
    config.dump(tmp_path / "small.py")
    state = make_state(itertools.chain(perception_entries(SMALL), unused_entries(SMALL)))
    path = write(tmp_path / "perception.pth", state)
    assert main(["weights", str(tmp_path / "small.py"), str(path)]) == 0
    assert "not used: detection branches (44)" in capsys.readouterr().out
    del state["img_neck.fpn_convs.3.conv.weight"]
    write(path, state)
    assert main(["weights", str(tmp_path / "small.py"), str(path)]) == 1
    assert "no tensor for neck.fpn_convs.3.conv.weight" in capsys.readouterr().err


class Evil:
    """Would touch a file if unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_code_does_not_run(tmp_path):
    target = tmp_path / "touched"
    path = write(tmp_path / "evil.pth", small_state() | {"x": Evil(target)})
    with pytest.raises(
        CheckpointError, match=r"holds a Python object \(io.open\), which could run code"
    ) as caught:
        read_original(path)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    with pytest.raises(CheckpointError, match="not of the published planner"):
        read_original(write(tmp_path / "other.pth", {"a": torch.zeros(1)}))
