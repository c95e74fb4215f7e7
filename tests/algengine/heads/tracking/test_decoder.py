"""The decoder against loops over queries, heads and points."""

import math

import pytest
import torch

from algengine.heads.tracking.box_code import BoxCode
from algengine.heads.tracking.decoder import MapAttention, ObjectDecoder, ObjectDecoderLayer
from algengine.heads.tracking.queries import NewQueries
from algengine.models.bev.grid import BEVGrid

pytestmark = pytest.mark.mm

GRID = BEVGrid((-8.0, 8.0), (-4.0, 4.0), 2.0)
CODE = BoxCode.of((-8.0, 8.0), (-4.0, 4.0), (-2.0, 4.0))
DIMS, HEADS, POINTS = 8, 2, 3


def shuffled(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module with random weights everywhere, also where training starts from zeros."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return module.double().eval()


def read(image: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """Return the bilinear value (C,) of a map (C, rows, cols) at a place in cells from its corner; zero outside."""
    total = torch.zeros(len(image), dtype=image.dtype)
    for row in (math.floor(y - 0.5), math.floor(y - 0.5) + 1):
        for col in (math.floor(x - 0.5), math.floor(x - 0.5) + 1):
            if 0 <= row < image.shape[1] and 0 <= col < image.shape[2]:
                weight = (1 - abs(y - 0.5 - row)) * (1 - abs(x - 0.5 - col))
                total += weight * image[:, row, col]
    return total


def slow_map_attention(module: MapAttention, query, position, bev, place):
    value = (
        torch.einsum("oc,chw->ohw", module.value.weight[..., 0, 0], bev) + module.value.bias[:, None, None]
    )
    rows = []
    for k in range(len(query)):
        offsets = module.offsets(query[k] + position[k]).reshape(HEADS, POINTS, 2)
        weights = module.weights(query[k] + position[k]).reshape(HEADS, POINTS).softmax(-1)
        parts = []
        for head in range(HEADS):
            channels = value[head * DIMS // HEADS : (head + 1) * DIMS // HEADS]
            total = 0.0
            for p in range(POINTS):
                x, y = place[k] * torch.tensor([GRID.cols, GRID.rows]) + offsets[head, p]
                total = total + weights[head, p] * read(channels, float(x), float(y))
            parts.append(total)
        rows.append(query[k] + module.output(torch.cat(parts)))
    return torch.stack(rows)


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


def test_reads_of_the_map():
    module = shuffled(MapAttention(DIMS, HEADS, POINTS, GRID, 0.0, "torch"))
    query, position, bev, place = make_inputs()
    found = module(query, position, bev, place)
    for b in range(2):
        wanted = slow_map_attention(module, query[b], position[b], bev[b], place[b])
        assert torch.allclose(found[b], wanted, atol=1e-5)


def test_a_layer_does_not_see_empty_queries():
    layer = shuffled(ObjectDecoderLayer(DIMS, HEADS, POINTS, GRID, 0.0, "torch"))
    query, position, bev, place = make_inputs()
    empty = torch.tensor([[False, True, False, False, True], [False] * 5])
    found = layer(query, position, empty, bev, place)
    for b in range(2):
        seen = ~empty[b]
        control = query[b] + position[b]
        after = layer.among_norm(query[b] + slow_attention(layer.among, control, query[b], seen))
        after = layer.map_norm(slow_map_attention(layer.map, after, position[b], bev[b], place[b]))
        assert torch.allclose(found[b], layer.feed_forward(after), atol=1e-5)


def test_layers_hand_on_where_they_look():
    decoder = shuffled(ObjectDecoder(DIMS, HEADS, POINTS, 2, GRID, CODE, 0.0, "torch"))
    queries = shuffled(NewQueries(DIMS, 4, 2))(2)
    bev = make_inputs()[2]
    decoded = decoder(queries, bev)
    place = CODE.place(queries.reference)[..., :2]
    first = decoder.layers[0](queries.content, queries.position, ~queries.used, bev, GRID.normalize(place))
    raw = decoder.boxes[0](first)
    step = (raw[..., [0, 1, 4]] + torch.logit(queries.reference.double())).sigmoid()
    assert torch.allclose(decoded.codes[0][..., [0, 1, 4]].double(), CODE.place(step), atol=1e-4)
    assert torch.allclose(decoded.codes[0][..., 5:].double(), raw[..., 5:], atol=1e-5)
    # The second layer reads where the first one says the object is, and learns from there on its own.
    moved = GRID.normalize(CODE.place(step)[..., :2])
    second = decoder.layers[1](first, queries.position, ~queries.used, bev, moved)
    assert torch.allclose(decoded.embedding, second, atol=1e-4)
    assert torch.allclose(decoded.logits[1].double(), decoder.classes[1](second), atol=1e-3)
    assert not decoded.reference.requires_grad
