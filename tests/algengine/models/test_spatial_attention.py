import pytest
import torch

from algengine.models.bev.projection import CameraViews
from algengine.models.bev.spatial_attention import SpatialCrossAttention
from algengine.models.layers.mosaic import in_mosaic, mosaic
from algengine.post_training.lora import attach, merge

pytestmark = pytest.mark.mm


def test_mosaic_reads_equal_single_maps():
    maps = torch.randn(6, 4, 3, 5, generator=torch.Generator().manual_seed(0))  # 2 samples, 3 cameras
    stacked = mosaic(maps, 2)
    assert stacked.shape == (2, 4, 13, 5)
    sizes = torch.tensor([5.0, 3.0])
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(2, 3, 40, 2, generator=generator) * 14 - 4  # many far outside
    camera = torch.arange(3).view(1, 3, 1).expand(2, 3, 40)
    whole = in_mosaic(pixels, camera, sizes, 3).reshape(2, 1, -1, 2) * 2 - 1
    from_whole = torch.nn.functional.grid_sample(stacked, whole, align_corners=False).reshape(2, 4, 3, 40)
    single = (pixels / sizes).reshape(6, 1, 40, 2) * 2 - 1
    from_single = torch.nn.functional.grid_sample(maps, single, align_corners=False).reshape(2, 3, 4, 40)
    assert torch.allclose(from_whole, from_single.transpose(1, 2), atol=1e-5)


def make_views() -> CameraViews:
    """Return one sample of three cells, the middle one seen by the first camera."""
    return CameraViews(
        cells=torch.tensor([[1, 0]]),
        cameras=torch.tensor([[0, 0]]),
        seen=torch.tensor([[True, False]]),
        places=torch.full((1, 2, 1, 2), 0.5),
        count=torch.tensor([[0, 1, 0]]),
        starts=torch.tensor([[0, 0, 1, 1]], dtype=torch.int32),
    )


def test_cells_without_a_camera_keep_their_query():
    layer = SpatialCrossAttention(8, heads=2, levels=1, heights=1, points=1).eval()
    tokens = torch.randn(1, 2, 4 * 6, 8)
    views = make_views()
    query = torch.randn(1, 3, 8)
    out = layer(query, tokens, ((4, 6),), views) - query
    bias = layer.output.bias
    assert torch.allclose(out[0, 0], bias, atol=1e-6)
    assert torch.allclose(out[0, 2], bias, atol=1e-6)
    assert not torch.allclose(out[0, 1], bias, atol=1e-4)


@pytest.mark.parametrize("levels", [1, 2])
def test_adapters_act_as_if_merged(levels):
    torch.manual_seed(0)
    layer = SpatialCrossAttention(8, heads=2, levels=levels, heights=1, points=1).eval()
    for part in (layer.offsets, layer.weights, *layer.value):
        torch.nn.init.normal_(attach(part, 2, 2.0, 0.0, 1).B)
    shapes = ((4, 6), (2, 3))[:levels]
    tokens = torch.randn(1, 2, sum(rows * cols for rows, cols in shapes), 8)
    query = torch.randn(1, 3, 8)
    with torch.no_grad():
        beside = layer.eval()(query, tokens, shapes, make_views())
        merge(layer)
        assert torch.allclose(layer(query, tokens, shapes, make_views()), beside, atol=1e-5)
