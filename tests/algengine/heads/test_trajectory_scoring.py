import pytest
import torch

from alg_factories import make_vocabulary
from algengine.heads.ego_status import EgoStatusEmbedding
from algengine.heads.trajectory_scoring import IMITATION, TrajectoryScoringHead

pytestmark = pytest.mark.mm


def make_head() -> TrajectoryScoringHead:
    torch.manual_seed(0)
    head = TrajectoryScoringHead(12, dims=16, heads=2, num_layers=2, x_range=(-12.8, 51.2), cell=6.4)
    head.vocabulary.copy_(torch.from_numpy(make_vocabulary(12)))
    return head


def make_status(batch: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        "history": torch.randn(batch, 4, 3, generator=generator),
        "velocity": torch.randn(batch, 4, 2, generator=generator),
        "acceleration": torch.randn(batch, 4, 2, generator=generator),
        "command": torch.randint(0, 4, (batch, 4), generator=generator),
        "history_valid": torch.ones(batch, 4, dtype=torch.bool),
    }


def test_cached_vocabulary_embedding_equals_recomputed():
    head = make_head().eval()
    with torch.no_grad():
        first = head.embed_vocabulary()
        assert head.embed_vocabulary() is first
        assert torch.equal(first, head.encoder(head.vocabulary))


def test_cache_does_not_outlive_training():
    head = make_head().eval()
    with torch.no_grad():
        before = head.embed_vocabulary().clone()
    head.train()
    with torch.no_grad():
        head.encoder.embed[0].weight += 0.1
    head.eval()
    with torch.no_grad():
        assert not torch.allclose(before, head.embed_vocabulary())


def test_batch_equals_single():
    head = make_head().eval()
    bev, status = torch.randn(3, 16, 8, 10), make_status()
    with torch.no_grad():
        whole = head(bev, status)[IMITATION]
        for i in range(3):
            one = head(bev[i : i + 1], {k: v[i : i + 1] for k, v in status.items()})[IMITATION]
            assert torch.allclose(one[0], whole[i], atol=1e-5)


@pytest.mark.parametrize("key", ["history", "velocity", "acceleration", "command"])
def test_present_status_reaches_the_planner(key):
    head = make_head().eval()
    bev, status = torch.randn(1, 16, 8, 10), make_status(1)
    with torch.no_grad():
        before = head(bev, status)[IMITATION]
        changed = status | {key: status[key].clone()}
        changed[key][:, -1] = (changed[key][:, -1] + 1) % 4 if key == "command" else changed[key][:, -1] + 1.0
        assert not torch.allclose(before, head(bev, changed)[IMITATION], atol=1e-4)


def test_map_along_the_path_reaches_the_plan():
    head = make_head().eval()
    status = make_status(1)
    bev = torch.zeros(1, 16, 8, 10)
    changed = bev.clone()
    changed[:, :, 4, 3] = 5.0  # around x = 10 m: half way of plans that end farther
    with torch.no_grad():
        moved = (head(changed, status)[IMITATION] - head(bev, status)[IMITATION]).abs()[0]
    assert moved[-1] > 1e-4


def test_invalid_past_does_not_count_but_the_present_does():
    layer = EgoStatusEmbedding(8).eval()
    status = make_status(1)
    status["history_valid"] = torch.tensor([[False, False, False, False]])
    with torch.no_grad():
        before = layer(status)
        past = status | {"velocity": status["velocity"].clone()}
        past["velocity"][:, :3] += 7.0
        assert torch.equal(before, layer(past))
        now = status | {"velocity": status["velocity"].clone()}
        now["velocity"][:, 3] += 7.0
        assert not torch.equal(before, layer(now))


def test_loss_counts_only_complete_futures():
    head = make_head()
    logits = torch.randn(2, 12, requires_grad=True)
    driven = head.vocabulary[[3, 5]].clone()
    valid = torch.ones(2, 40, dtype=torch.bool)
    valid[1, 20:] = False
    losses = head.loss({IMITATION: logits}, driven, valid)
    losses["loss_imitation"].backward()
    assert logits.grad[1].abs().max() == 0
    assert logits.grad[0].abs().max() > 0
