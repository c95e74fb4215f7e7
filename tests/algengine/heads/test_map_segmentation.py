import numpy as np
import pytest
import torch

from algengine.datasets.bev_labels import LabelGrid
from algengine.datasets.map_label_files import add_map_truth
from algengine.datasets.map_labels import CONTOUR, CROSSING, DIVIDER, MapElements
from algengine.evaluation.map_segmentation import MapIoUMetric
from algengine.heads import PansegformerHead
from algengine.heads.map_segmentation.cells import SubCells, box_sine_code, cell_centers, sine_code
from algengine.heads.map_segmentation.fusion import fuse, mask_confidence
from algengine.heads.map_segmentation.mask_decoder import MaskAttention
from algengine.registry import MODELS
from algengine.structures.map_truth import MapTruth
from map_factories import make_marked_road
from simengine.errors import ConfigError

pytestmark = pytest.mark.mm

# Coarse, so that a step takes milliseconds: cells of 1.6 m in labels, of 3.2 m in maps.
GRID = LabelGrid((-6.4, 44.8), (-12.8, 12.8), 1.6)
DIMS = 32


def make_head(**changes: object) -> PansegformerHead:
    sizes = {
        "dims": DIMS,
        "heads": 4,
        "points": 2,
        "hidden": 64,
        "num_queries": 12,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "things_blocks": 2,
        "stuff_blocks": 2,
        "dropout": 0.0,
        "upsample": 2,
    }
    torch.manual_seed(0)
    return MODELS.build({"type": "PansegformerHead", **sizes, **changes})


def make_bev(batch: int = 2) -> torch.Tensor:
    rows, cols = GRID.shape
    return torch.randn(batch, DIMS, rows // 2, cols // 2, generator=torch.Generator().manual_seed(0))


def make_samples(*poses: tuple[float, float, float]) -> list[MapTruth]:
    elements, samples = MapElements(make_marked_road(), GRID), []
    for pose in poses:
        samples.append(MapTruth())
        add_map_truth(samples[-1], elements.draw(np.array(pose)))
    return samples


SEEN = ((0.0, -2.1, 0.0), (10.3, 1.0, 0.3))
NOWHERE = (0.0, 500.0, 0.0)


def test_masks_equal_the_loops():
    torch.manual_seed(0)
    layer = MaskAttention(8, 2, reads=False)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    query, key = torch.randn(1, 3, 8), torch.randn(1, 6, 8)
    with torch.no_grad():
        found = layer.mask(layer.logits(query, key))[0]
        for i in range(3):
            for s in range(6):
                q, k = layer.q(query[0, i]), layer.k(key[0, s])
                logits = torch.stack([q[:4] @ k[:4] / 2.0, q[4:] @ k[4:] / 2.0])
                hidden = (layer.linear_l1[0].weight @ logits + layer.linear_l1[0].bias).relu()
                expected = (layer.linear[0].weight[0] @ hidden + layer.linear[0].bias[0]).relu()
                assert found[i, s].item() == pytest.approx(expected.item(), abs=1e-5)


def test_cells_run_along_x_first():
    centers = cell_centers((2, 4), torch.device("cpu"))
    assert centers[1].tolist() == [0.375, 0.25] and centers[4].tolist() == [0.125, 0.75]
    # The first half of the code tells rows apart, the second columns.
    code = sine_code(centers, 16)
    assert torch.equal(code[0, :8], code[3, :8]) and not torch.equal(code[0, 8:], code[3, 8:])
    assert torch.equal(code[0, 8:], code[4, 8:]) and not torch.equal(code[0, :8], code[4, :8])
    # A box is coded by its centre, then by its size.
    boxes = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.5, 0.4]])
    code = box_sine_code(boxes, 16)
    assert torch.equal(code[0, :24], code[1, :24]) and not torch.equal(code[0, 24:], code[1, 24:])
    split = SubCells(3, 2)(torch.arange(24.0).reshape(1, 8, 3), (2, 4)).reshape(4, 8, 3)
    assert split[2, 5].tolist() == torch.arange(24.0).reshape(2, 4, 3)[1, 2].tolist()


def test_fusion_by_hand():
    def row(*cells: int, value: float = 1.0) -> torch.Tensor:
        return value * torch.isin(torch.arange(12), torch.tensor(cells)).float()

    elements = [
        (DIVIDER, 0.9, row(0, 1, 2, 3)),
        (DIVIDER, 0.8, row(3, 4, 5, 6)),  # a quarter of it is taken: cut
        (DIVIDER, 0.7, row(2, 3, 4, 9)),  # three quarters are taken: dropped
        (CONTOUR, 0.6, row(2, 3, 7, 8, 9)),  # two fifths are taken, by another class: kept whole
        (DIVIDER, 0.5, row(10, 11, value=0.6)),  # 0.5 * 0.6^2 = 0.18: kept
        (CROSSING, 0.65, row(0, 1, 2, 3)),  # the first one by another name: dropped
        (DIVIDER, 0.95, row(10, value=0.4)),  # claims nothing
        (CROSSING, 0.09, row(10)),  # too low a score
    ]
    shuffled = [elements[i] for i in (4, 7, 2, 0, 6, 1, 5, 3)]
    labels, scores = torch.tensor([e[0] for e in shuffled]), torch.tensor([e[1] for e in shuffled])
    kept, found, cut = fuse(scores, labels, torch.stack([e[2] for e in shuffled]))
    assert labels[kept].tolist() == [DIVIDER, DIVIDER, CONTOUR, DIVIDER]
    assert torch.allclose(found, torch.tensor([0.9, 0.8, 0.6, 0.18]))
    places = [mask.nonzero()[:, 0].tolist() for mask in cut]
    assert places == [[0, 1, 2, 3], [4, 5, 6], [2, 3, 7, 8, 9], [10, 11]]
    # Masks stronger than one are no better than sure.
    assert mask_confidence(
        torch.stack([3.0 * row(1, 2), row(4, 5, value=0.6), row(1, value=0.4)])
    ).tolist() == (pytest.approx([1.0, 0.6, 0.0]))
    nothing = fuse(scores[:0], labels[:0], torch.zeros(0, 12))
    assert nothing[0].shape == (0,) and nothing[2].shape == (0, 12)


def test_terms_and_their_sizes():
    head = make_head()
    losses = head.loss(make_bev(), make_samples(*SEEN))
    layers = {f"loss_{term}_{d}" for term in ("cls", "bbox", "iou") for d in range(2)}
    blocks = {f"loss_mask_{part}_{b}" for part in ("things", "stuff") for b in range(3)}
    assert set(losses) == layers | blocks | {"loss_cls_stuff_0", "loss_cls_stuff_1"}
    # A mask that misses everything costs 2, and things and stuff share that by their number.
    elements = sum(len(sample.gt_map_labels) for sample in make_samples(*SEEN))
    assert 0.0 < losses["loss_mask_things_2"].item() <= 2.0 * elements / (elements + 2)
    assert 0.0 < losses["loss_mask_stuff_2"].item() <= 2.0 * 2 / (elements + 2)


def test_every_parameter_learns_even_where_there_is_no_road():
    samples = [make_samples(NOWHERE), make_samples(*SEEN, NOWHERE)]
    for batch in samples:
        head = make_head()
        losses = head.loss(make_bev(len(batch)), batch)
        sum(losses.values()).backward()
        assert all(value.isfinite() for value in losses.values())
        assert [name for name, p in head.named_parameters() if p.grad is None] == []
    # Zero at the start by intent: what is before the last layer of a box branch, which starts at zero.
    still = {name for name, p in head.named_parameters() if not p.grad.abs().any()}
    assert all(name.startswith("reg_branches") and ".4." not in name for name in still)


def test_samples_of_a_batch_do_not_mix():
    bev, head = make_bev(), make_head().eval()
    both = head(bev)
    for i in range(2):
        alone = head(bev[i : i + 1])
        assert torch.allclose(alone.boxes[0], both.boxes[i], atol=1e-6)
        assert torch.allclose(alone.stuff_masks[-1][0], both.stuff_masks[-1][i], atol=1e-5)
        queries = torch.tensor([[3, 1]])
        masks = head.things_masks(both, queries.expand(2, -1))[-1][i]
        assert torch.allclose(head.things_masks(alone, queries)[-1][0], masks, atol=1e-5)


def test_mixed_precision_is_close():
    bev, samples, head = make_bev(), make_samples(*SEEN), make_head()
    plain = head.loss(bev, samples)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = head.loss(bev, samples)
        found = head.eval().predict(bev)
    for name, value in plain.items():
        assert mixed[name].dtype == torch.float32
        assert mixed[name].item() == pytest.approx(value.item(), rel=0.05, abs=0.02)
    assert found[0].masks.dtype == torch.bool and found[0].drivable.shape == GRID.shape


def test_labels_on_another_grid_are_explained():
    with pytest.raises(ConfigError, match=r"\(16, 32\) cells, expected \(8, 16\)"):
        make_head(upsample=1).loss(make_bev(1), make_samples(SEEN[0]))


def test_names_of_the_published_head():
    names = set(make_head().state_dict())
    for name in (
        "query_embedding.weight",
        "stuff_query.weight",
        "cls_branches.1.weight",
        "reg_branches.1.4.weight",
        "cls_stuff_branches.1.weight",
        "transformer.level_embeds",
        "transformer.reference_points.weight",
        "things_mask_head.attnen.linear_l1.0.weight",
        "stuff_mask_head.blocks.1.self_attention.qkv.weight",
        "stuff_mask_head.blocks.1.norm3.weight",
        "stuff_mask_head.attnen.linear.0.bias",
    ):
        assert name in names


@pytest.mark.slow
def test_head_memorises_two_samples():
    bev, samples, head = make_bev(), make_samples(*SEEN), make_head()
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=0.0)
    for _ in range(250):
        optimizer.zero_grad()
        sum(head.loss(bev, samples).values()).backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 5.0)
        optimizer.step()
    metric = MapIoUMetric()
    for sample, found in zip(samples, head.eval().predict(bev), strict=True):
        sample.pred_map = found
    metric.process({}, [sample.to_dict() for sample in samples])
    scores = metric.evaluate(size=2)
    assert min(scores.values()) > 0.8, scores
