import torch

from algengine.models.layers.position_code import POSE_CODE_SIZE, XY_CODE_SIZE, encode_pose, encode_xy


def test_no_two_places_share_a_code():
    x = torch.linspace(-80, 80, 641)
    code = encode_xy(torch.stack([x, torch.zeros_like(x)], dim=-1), reach=80.0)
    gap = torch.cdist(code, code)
    gap[torch.eye(len(x), dtype=torch.bool)] = 9.0
    assert code.shape[-1] == XY_CODE_SIZE
    # 2 pi metres apart, where the published code repeats itself, codes differ clearly.
    assert gap.min() > 0.05


def test_pose_code_holds_the_direction():
    code = encode_pose(torch.tensor([1.0, 2.0, 0.3]), 80.0)
    assert len(code) == POSE_CODE_SIZE
    assert torch.allclose(code[-2:], torch.tensor([0.3]).cos().new_tensor([0.9553365, 0.2955202]))
