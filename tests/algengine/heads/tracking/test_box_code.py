import pytest
import torch

from algengine.heads.tracking.box_code import BoxCode
from algengine.models.layers.inverse_sigmoid import inverse_sigmoid

pytestmark = pytest.mark.mm

CODE = BoxCode((-12.8, 51.2), (-25.6, 25.6), (-2.0, 4.0))


def make_boxes(count: int = 50) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.randn(count, 9, generator=generator) * 5.0
    boxes[:, 3:6] = boxes[:, 3:6].abs() + 0.1
    boxes[:, 6] = torch.linspace(-3.1, 3.1, count)
    return boxes


def test_boxes_survive_the_round_trip():
    boxes = make_boxes()
    assert torch.allclose(CODE.decode(CODE.encode(boxes)), boxes, atol=1e-5)


def test_columns_are_the_published_ones():
    box = torch.tensor([1.0, 2.0, 0.5, 4.0, 2.0, 1.5, torch.pi / 2, 3.0, -1.0])
    wanted = torch.tensor([1.0, 2.0, 4.0, 2.0, 0.5, 1.5, 1.0, 0.0, 3.0, -1.0])
    wanted[[2, 3, 5]] = wanted[[2, 3, 5]].log()
    assert torch.allclose(CODE.encode(box), wanted, atol=1e-6)


def test_references_are_fractions_of_the_volume():
    corners = torch.tensor([[-12.8, -25.6, -2.0], [51.2, 25.6, 4.0], [19.2, 0.0, 1.0]])
    fractions = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.5, 0.5]])
    assert torch.allclose(CODE.reference(corners), fractions, atol=1e-6)
    assert torch.allclose(CODE.place(fractions), corners, atol=1e-5)
    assert torch.equal(CODE.reference(torch.tensor([99.0, -99.0, 1.0])), torch.tensor([1.0, 0.0, 0.5]))


def test_refinement_of_nothing_stays_and_moves_by_logits():
    reference = torch.tensor([0.25, 0.5, 0.75])
    code, moved = CODE.refine(torch.zeros(10), reference)
    assert torch.allclose(moved, reference, atol=1e-6)
    assert torch.allclose(code[[0, 1, 4]], CODE.place(reference), atol=1e-5)
    raw = torch.zeros(10)
    raw[0] = 1.5
    moved = CODE.refine(raw, reference)[1]
    assert torch.allclose(
        inverse_sigmoid(moved) - inverse_sigmoid(reference), torch.tensor([1.5, 0.0, 0.0]), atol=1e-5
    )


def test_any_output_is_a_finite_box():
    assert torch.isfinite(CODE.decode(torch.full((10,), 1e4))).all()
    assert torch.isfinite(inverse_sigmoid(torch.tensor([0.0, 1.0]))).all()
