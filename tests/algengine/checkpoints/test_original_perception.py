"""Published checkpoints of the perception stage, by names and shapes from the reference, into our UniAD."""

import itertools
from collections.abc import Iterator

import pytest
import torch

from algengine.checkpoints.original import convert_original
from algengine.engine.configs import load_config
from algengine.engine.weights import build_planner
from algengine.errors import CheckpointError
from original_manifest import Entry, Sizes, perception_entries, unused_entries

pytestmark = pytest.mark.mm

NAME = "worldengine/track_map_nuplan_r50_navtrain_50pct"


def following_entries(dims: int = 256) -> Iterator[Entry]:
    """Yield query interaction and memory bank."""
    linear = [f"query_interact.linear{part}" for part in ("1", "2", "_pos1", "_pos2", "_feat1", "_feat2")]
    linear += [f"memory_bank.{part}" for part in ("save_proj", "temporal_fc1", "temporal_fc2")]
    norms = [f"query_interact.norm{part}" for part in ("1", "2", "_pos", "_feat")]
    norms += [f"memory_bank.temporal_norm{part}" for part in (1, 2)]
    for attention in ("query_interact.self_attn", "memory_bank.temporal_attn"):
        yield f"{attention}.in_proj_weight", (3 * dims, dims)
        yield f"{attention}.in_proj_bias", (3 * dims,)
        linear.append(f"{attention}.out_proj")
    for name in linear:
        yield f"{name}.weight", (dims, dims)
        yield f"{name}.bias", (dims,)
    for name in norms:
        yield f"{name}.weight", (dims,)
        yield f"{name}.bias", (dims,)


def published_state() -> dict[str, torch.Tensor]:
    """Return a perception checkpoint of full size without storage."""
    stand_ins = ("query_interact.", "memory_bank.")
    entries = [e for e in unused_entries(Sizes()) if not e[0].startswith(stand_ins)]
    return {n: torch.empty(s) for n, s in itertools.chain(perception_entries(), entries, following_entries())}


@pytest.fixture
def planner() -> torch.nn.Module:
    with torch.device("meta"):
        return build_planner(load_config(NAME).model.to_dict())


def test_everything_but_the_map_head_is_loaded(planner):
    with torch.device("meta"):
        converted, report = convert_original(published_state(), planner)
    ours = planner.state_dict()
    assert converted.keys() == {name for name in ours if not name.startswith("map_head.")}
    assert all(value.shape == ours[name].shape for name, value in converted.items())
    assert report.fresh == ("map_head",)
    assert report.dropped.keys() == {
        "detection decoder",  # its own reference points
        "detection queries",
        "map head",
        "track queries",  # the size of boxes, which nothing reads
        "training criterion",
    }


def test_a_checkpoint_in_pieces_is_one_sentence(planner):
    with torch.device("meta"):
        state = published_state()
    del state["memory_bank.temporal_fc1.weight"]
    with pytest.raises(CheckpointError, match=r"no tensor for track_head.memory_bank.temporal_fc1.weight"):
        convert_original(state, planner)


def test_of_a_detector_what_fits_is_taken(planner):
    with torch.device("meta"):
        state = {n: v for n, v in published_state().items() if n.startswith(("img_", "pts_bbox_head."))}
        state["pts_bbox_head.transformer.cams_embeds"] = torch.empty(6, 256)
        del state["pts_bbox_head.transformer.can_bus_mlp.0.weight"]
    converted, report = convert_original(state, planner)
    assert "backbone.conv1.weight" in converted and "track_head.decoder.boxes.5.4.weight" in converted
    assert "bev_encoder.camera_code" not in converted
    assert report.dropped["parts of another size"] == 1
    wanted = {
        "bev_encoder.camera_code",
        "bev_encoder.can_bus",
        "track_head.new_queries",
        "track_head.memory_bank",
    }
    assert wanted <= set(report.fresh) and "track_head.decoder" not in report.fresh


def test_planners_start_from_the_perception_stage(planner):
    # Both our checkpoints: the planner takes what it shares by name.
    config = load_config("worldengine/e2e_vadv2_50pct").model.to_dict()
    with torch.device("meta"):
        e2e = build_planner(config)
    ours, theirs = planner.state_dict(), e2e.state_dict()
    shared = {name for name in theirs if not name.startswith("head.")}
    assert shared <= ours.keys()
    assert all(ours[name].shape == theirs[name].shape for name in shared)
