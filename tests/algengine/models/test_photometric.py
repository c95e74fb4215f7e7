import colorsys
import importlib.util
from dataclasses import fields

import pytest
import torch

from algengine.models.photometric import ColourChange, change_colours, draw_change

CPU = torch.device("cpu")
HAS_TRITON = importlib.util.find_spec("triton") is not None


def make_change(**parts) -> ColourChange:
    neutral = {
        "brightness": torch.zeros(1),
        "contrast": torch.ones(1),
        "contrast_first": torch.tensor([False]),
        "saturation": torch.ones(1),
        "hue": torch.zeros(1),
        "order": torch.arange(3)[None],
    }
    return ColourChange(**(neutral | parts))


def test_no_change_changes_nothing():
    images = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 255
    assert torch.allclose(change_colours(images, make_change()), images, atol=1e-3)


@pytest.mark.parametrize(("factor", "turn"), [(0.6, 15.0), (1.4, -18.0), (1.0, 100.0)])
def test_saturation_and_hue_equal_the_colour_circle(factor, turn):
    images = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(1)) * 255
    images[0, :, 0, 0] = 80.0  # grey has no hue
    out = change_colours(images, make_change(saturation=torch.tensor([factor]), hue=torch.tensor([turn])))
    for row in range(6):
        for col in range(7):
            h, s, v = colorsys.rgb_to_hsv(*(images[0, :, row, col] / 255).tolist())
            expected = colorsys.hsv_to_rgb((h + turn / 360) % 1.0, min(s * factor, 1.0), v)
            assert (out[0, :, row, col] / 255).tolist() == pytest.approx(list(expected), abs=1e-4)


def test_contrast_acts_before_or_after_and_channels_move():
    images = torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1)
    for first in (True, False):
        change = make_change(
            brightness=torch.tensor([5.0]),
            contrast=torch.tensor([2.0]),
            contrast_first=torch.tensor([first]),
            order=torch.tensor([[2, 0, 1]]),
        )
        assert change_colours(images, change).flatten().tolist() == pytest.approx(
            [70.0, 30.0, 50.0], abs=1e-3
        )


def test_half_of_the_images_change_in_each_way():
    torch.manual_seed(0)
    change = draw_change(4000, CPU)
    for values, neutral in ((change.brightness, 0.0), (change.contrast, 1.0), (change.hue, 0.0)):
        assert (values == neutral).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert change.saturation.min() > 0.5 - 1e-6 and change.saturation.max() < 1.5 + 1e-6
    assert (change.order.sort(-1).values == torch.arange(3)).all()
    # Half stay in order, and a sixth of the others are mixed back.
    assert (change.order == torch.arange(3)).all(-1).float().mean().item() == pytest.approx(7 / 12, abs=0.03)


def assert_kernel_equals_torch(device: str, enable) -> None:
    """Compare on bytes as they lie in memory, channels last, and on floats; `enable` switches the kernel on."""
    torch.manual_seed(3)
    images = torch.randint(0, 256, (9, 13, 17, 3), dtype=torch.uint8).movedim(-1, 1)
    change = draw_change(9, CPU)
    expected = [change_colours(images, change), change_colours(images.float().contiguous(), change)]
    enable()
    there = ColourChange(**{field.name: getattr(change, field.name).to(device) for field in fields(change)})
    for one, other in zip((images, images.float().contiguous()), expected, strict=True):
        assert torch.allclose(change_colours(one.to(device), there).cpu(), other, atol=2e-3)


@pytest.mark.skipif(not HAS_TRITON or torch.cuda.is_available(), reason="Triton's interpreter is for CPUs")
def test_kernel_by_interpreter(monkeypatch):
    assert_kernel_equals_torch("cpu", lambda: monkeypatch.setenv("TRITON_INTERPRET", "1"))


@pytest.mark.gpu
def test_kernel_on_a_gpu():
    assert_kernel_equals_torch("cuda", lambda: None)
