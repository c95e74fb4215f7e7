from dataclasses import replace

import pytest
import torch

from algengine.heads.sub_score_heads import SUB_SCORES, combine_scores
from algengine.heads.trajectory_scoring import IMITATION
from oracles.published_head import fourier, score
from published_factories import HALF, SMALL, build_small, double, small_state

pytestmark = pytest.mark.mm

PUBLISHED_NAMES = dict(zip(SUB_SCORES, ("noc", "da", "ttc", "comfort", "progress"), strict=True))


def make_inputs(batch: int = 2) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(3)
    bev = torch.randn(batch, SMALL.dims, SMALL.grid, SMALL.grid, generator=generator)
    status = {
        "history": torch.randn(batch, 4, 3, generator=generator) * 3,
        "velocity": torch.randn(batch, 4, 2, generator=generator),
        "acceleration": torch.randn(batch, 4, 2, generator=generator),
        "command": torch.randint(0, 4, (batch, 4), generator=generator),
        "history_valid": torch.tensor([[True, True, True, True], [False, True, True, True]])[:batch],
    }
    status["history"][:, 3] = 0.0
    return bev, status


@pytest.mark.parametrize("sub_scores", [False, True])
def test_head_equals_the_published_formulas(sub_scores):
    sizes = replace(SMALL, sub_scores=sub_scores)
    state = small_state(sizes)
    model = build_small(sizes, compat=True)
    model.load_state_dict(state)
    bev, status = make_inputs()
    expected = score(
        double(state),
        bev.double(),
        HALF,
        status["command"],
        status["history"][:, :3].double(),
        status["history_valid"][:, :3],
    )
    with torch.no_grad():
        outputs = model.head(bev, status)
        scores, index, plans = model.head.predict(outputs)
    assert torch.allclose(outputs[IMITATION].double(), expected["imi"], atol=1e-3)
    assert torch.allclose(scores.double(), expected["scores"], atol=1e-3)
    assert torch.equal(index, expected["scores"].argmax(-1))
    assert torch.equal(plans, state["planning_head.vocab"][index])
    for ours, theirs in PUBLISHED_NAMES.items() if sub_scores else ():
        assert torch.allclose(outputs[ours].sigmoid().double(), expected[theirs], atol=1e-4)


def test_the_published_head_does_not_know_the_present_and_ours_does():
    bev, status = make_inputs(1)
    changed = {key: value.clone() for key, value in status.items()}
    changed["command"][:, 3] = (changed["command"][:, 3] + 1) % 4
    for compat in (True, False):
        head = build_small(compat=compat).head
        with torch.no_grad():
            before, after = head(bev, status)[IMITATION], head(bev, changed)[IMITATION]
        assert torch.equal(before, after) == compat


def test_published_code_repeats_itself():
    import math

    from algengine.models.layers.published_code import encode_pose_published

    pose = torch.tensor([[1.3, -2.0, 0.4], [1.3 + 2 * math.pi, -2.0, 0.4]], dtype=torch.float64)
    codes = encode_pose_published(pose)
    assert torch.allclose(codes[0], codes[1])
    assert codes[0].tolist() == pytest.approx([*fourier(1.3, -2.0), math.cos(0.4), math.sin(0.4)])


def test_combined_score_by_hand():
    # Two plans of equal likelihood; all probabilities of plan 0 are 1/2, of plan 1 they are 3/4.
    logit = torch.tensor([[0.0, torch.tensor(3.0).log()]])
    scores = combine_scores(torch.zeros(1, 2), dict.fromkeys(SUB_SCORES, logit))
    log = torch.log
    half, more = torch.tensor(0.5), torch.tensor(0.75)
    expected = [0.05 * log(half) + log(p) + 8 * log(12 * p) for p in (half, more)]
    assert torch.allclose(scores[0], torch.stack(expected), atol=1e-5)


def test_combined_score_is_finite_where_the_published_one_is_not():
    certain = torch.tensor([[-300.0, 300.0]])
    scores = combine_scores(torch.zeros(1, 2), dict.fromkeys(SUB_SCORES, certain))
    assert torch.isfinite(scores).all()
    assert scores[0, 1] > scores[0, 0]
