import pytest
import torch

from algengine.models.layers.deformable_attention import as_tokens
from algengine.models.layers.map_attention import MapAttention
from oracles.map_attention import slow_map_attention

pytestmark = pytest.mark.mm


@pytest.mark.parametrize("numbers", [2, 4], ids=["points", "boxes"])
def test_reads_equal_the_loops(numbers):
    torch.manual_seed(0)
    layer = MapAttention(4, 2, 3, 0.0, "torch").double().eval()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    query, position = torch.randn(2, 2, 5, 4).double()
    bev, reference = torch.randn(2, 4, 3, 5).double(), torch.rand(2, 5, numbers).double()
    with torch.no_grad():
        found = layer(query, position, reference, as_tokens([bev]), (3, 5))
        for b in range(2):
            wanted = slow_map_attention(layer, query[b], position[b], reference[b], bev[b])
            assert torch.allclose(found[b], wanted, atol=1e-5)
