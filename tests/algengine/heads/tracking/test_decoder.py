"""The decoder against loops over samples and heads."""

import pytest
import torch

from algengine.heads.tracking.box_code import BoxCode
from algengine.heads.tracking.decoder import ObjectDecoder, ObjectDecoderLayer
from algengine.heads.tracking.queries import NewQueries
from algengine.models.bev.grid import BEVGrid
from algengine.models.layers.deformable_attention import as_tokens
from oracles.map_attention import slow_map_attention

pytestmark = pytest.mark.mm

GRID = BEVGrid((-8.0, 8.0), (-4.0, 4.0), 2.0)
CODE = BoxCode((-8.0, 8.0), (-4.0, 4.0), (-2.0, 4.0))
DIMS, HEADS, POINTS = 8, 2, 3
SIZE = (GRID.rows, GRID.cols)


def shuffled(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module with random weights everywhere, also where training starts from zeros."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module.double().eval()


def slow_attention(module: torch.nn.MultiheadAttention, control, value, seen):
    q, k, v = (
        x @ w.T + b
        for x, w, b in zip(
            (control, control, value),
            module.in_proj_weight.chunk(3),
            module.in_proj_bias.chunk(3),
            strict=True,
        )
    )
    size = DIMS // HEADS
    parts = []
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        logits = q[:, part] @ k[seen][:, part].T / size**0.5
        parts.append(logits.softmax(-1) @ v[seen][:, part])
    return module.out_proj(torch.cat(parts, dim=-1))


def make_inputs(count: int = 5):
    generator = torch.Generator().manual_seed(1)
    query, position = (torch.randn(2, count, DIMS, generator=generator).double() for _ in range(2))
    bev = torch.randn(2, DIMS, GRID.rows, GRID.cols, generator=generator).double()
    return query, position, bev, torch.rand(2, count, 2, generator=generator).double()


def test_a_layer_does_not_see_empty_queries():
    layer = shuffled(ObjectDecoderLayer(DIMS, HEADS, POINTS, 0.0, "torch"))
    query, position, bev, place = make_inputs()
    empty = torch.tensor([[False, True, False, False, True], [False] * 5])
    found = layer(query, position, empty, place, as_tokens([bev]), SIZE)
    for b in range(2):
        seen = ~empty[b]
        control = query[b] + position[b]
        after = layer.among_norm(query[b] + slow_attention(layer.among, control, query[b], seen))
        after = layer.map_norm(slow_map_attention(layer.map, after, position[b], place[b], bev[b]))
        assert torch.allclose(found[b], layer.feed_forward(after), atol=1e-5)


def test_layers_hand_on_where_they_look():
    decoder = shuffled(ObjectDecoder(DIMS, HEADS, POINTS, 2, GRID, CODE, 0.0, "torch"))
    queries = shuffled(NewQueries(DIMS, 4, 2))(2)
    bev = make_inputs()[2]
    decoded = decoder(queries, bev)
    place = CODE.place(queries.reference)[..., :2]
    cells = as_tokens([bev])
    first = decoder.layers[0](
        queries.content, queries.position, ~queries.used, GRID.normalize(place), cells, SIZE
    )
    raw = decoder.boxes[0](first)
    step = (raw[..., [0, 1, 4]] + torch.logit(queries.reference.double())).sigmoid()
    assert torch.allclose(decoded.codes[0][..., [0, 1, 4]].double(), CODE.place(step), atol=1e-4)
    assert torch.allclose(decoded.codes[0][..., 5:].double(), raw[..., 5:], atol=1e-5)
    # The second layer reads where the first one says the object is, and learns from there on its own.
    moved = GRID.normalize(CODE.place(step)[..., :2])
    second = decoder.layers[1](first, queries.position, ~queries.used, moved, cells, SIZE)
    assert torch.allclose(decoded.embedding, second, atol=1e-4)
    assert torch.allclose(decoded.logits[1].double(), decoder.classes[1](second), atol=1e-3)
    assert not decoded.reference.requires_grad
