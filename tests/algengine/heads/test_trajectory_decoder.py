import math

import torch

from algengine.heads.trajectory_decoder import PathAttention
from algengine.models.bev.grid import BEVGrid
from algengine.post_training.lora import attach, merge
from oracles.deformable import bilinear

GRID = BEVGrid((-4.0, 8.0), (-5.0, 5.0), 2.0)


def test_path_attention_equals_the_loops():
    torch.manual_seed(0)
    heads, steps, points, dims = 2, 3, 2, 4
    layer = PathAttention(dims, heads, steps, points, GRID).eval()
    torch.nn.init.normal_(layer.offsets.weight)
    torch.nn.init.normal_(layer.weights.weight)
    query, bev = torch.randn(2, 5, dims), torch.randn(2, dims, GRID.rows, GRID.cols)
    anchors = torch.randn(5, steps, 3) * torch.tensor([3.0, 3.0, 1.0])
    with torch.no_grad():
        found = layer(query, bev, anchors)
        expected = torch.zeros_like(found)
        for b in range(2):
            value = layer.value(bev[b : b + 1])[0].reshape(heads, dims // heads, GRID.rows, GRID.cols)
            for k in range(5):
                offsets = layer.offsets(query[b, k]).reshape(heads, steps, points, 2)
                weights = layer.weights(query[b, k]).reshape(heads, steps, points).softmax(-1)
                read = torch.zeros(steps, heads, dims // heads)
                for s in range(steps):
                    x, y, yaw = anchors[k, s].tolist()
                    for m in range(heads):
                        for p in range(points):
                            ahead, left = offsets[m, s, p].tolist()
                            east = x + math.cos(yaw) * ahead - math.sin(yaw) * left
                            north = y + math.sin(yaw) * ahead + math.cos(yaw) * left
                            sample = bilinear(value[m], (east + 4.0) / 12.0, (north + 5.0) / 10.0)
                            read[s, m] += weights[m, s, p] * sample
                expected[b, k] = query[b, k] + layer.output(read.flatten())
    assert torch.allclose(found, expected, atol=1e-5)


def test_adapters_act_as_if_merged():
    torch.manual_seed(0)
    layer = PathAttention(4, 2, 3, 2, GRID).eval()
    for part in (layer.offsets, layer.weights, layer.value):
        torch.nn.init.normal_(attach(part, 2, 2.0, 0.0, 1).B)
    query, bev = torch.randn(2, 5, 4), torch.randn(2, 4, GRID.rows, GRID.cols)
    anchors = torch.randn(5, 3, 3)
    with torch.no_grad():
        beside = layer.eval()(query, bev, anchors)
        merge(layer)
        assert torch.allclose(layer(query, bev, anchors), beside, atol=1e-5)
