import itertools

import pytest
import torch

from algengine.models.data_preprocessor import PlanningDataPreprocessor
from algengine.models.grid_mask import grid_mask

pytestmark = pytest.mark.mm


def test_caffe_images_by_hand():
    prepare = PlanningDataPreprocessor(mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0), bgr=True, pad_divisor=4)
    images = (
        torch.tensor([10, 20, 30], dtype=torch.uint8).expand(1, 2, 3, 3).contiguous()
    )  # 2 x 3 pixels, RGB
    out = prepare.normalize(images)
    assert out.shape == (1, 3, 4, 4)
    assert out[0, :, 0, 0].tolist() == [29.0, 18.0, 7.0]  # blue, green, red
    assert out[0, :, 2:].abs().max() == 0 and out[0, :, :, 3:].abs().max() == 0


def test_grid_mask_cuts_equal_squares():
    torch.manual_seed(3)
    for _ in range(20):
        mask = grid_mask(40, 60, torch.device("cpu"))
        # Holes are where both a row and a column lie between the stripes.
        rows, cols = (mask == 0).any(1), (mask == 0).any(0)
        assert torch.equal(mask == 0, rows[:, None] & cols[None, :])
        starts = [i for i in range(1, 40) if rows[i] and not rows[i - 1]]
        pitches = {b - a for a, b in itertools.pairwise(starts)}
        assert len(pitches) <= 1
        if len(pitches) == 1:
            pitch = pitches.pop()
            hole = pitch - min(max(int(pitch * 0.5 + 0.5), 1), pitch - 1)
            assert rows[starts[0] : starts[0] + pitch].sum() == hole


def test_holes_are_cut_into_the_last_frame_while_training():
    torch.manual_seed(0)
    prepare = PlanningDataPreprocessor(grid_mask=1.0)
    images = torch.full((1, 2, 1, 32, 32, 3), 200, dtype=torch.uint8)
    data = {"inputs": {"images": images}, "data_samples": None}
    training = prepare(data, training=True)["inputs"]["images"]
    assert (training[:, 0] != 0).all()
    assert (training[:, 1] == 0).any()
    assert (prepare(data)["inputs"]["images"] != 0).all()
