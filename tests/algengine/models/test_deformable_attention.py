import importlib.util
import itertools

import pytest
import torch

from algengine.models.layers.deformable_attention import Pairs, attend
from oracles.deformable import bilinear

HAS_TRITON = importlib.util.find_spec("triton") is not None
SHAPES = ((5, 7), (3, 4))
HEADS, DEPTH, QUERIES, HEIGHTS, POINTS = 2, 3, 5, 2, 3
SEEN = [[0, 2, 1, 0, 3], [1, 1, 0, 2, 0]]
"""How many of three maps each query reads."""


def make_pairs(device="cpu") -> Pairs:
    """Return pairs of queries with the first maps of two samples, the shorter sample padded."""
    rows = [[(q, m) for q, n in enumerate(sample) for m in range(n)] for sample in SEEN]
    length = max(map(len, rows))
    padded = torch.tensor([row + [(4, 0)] * (length - len(row)) for row in rows], device=device)
    valid = torch.tensor([[i < len(row) for i in range(length)] for row in rows], device=device)
    counts = torch.tensor(SEEN, device=device)
    starts = torch.nn.functional.pad(counts.cumsum(1), (1, 0)).int()
    return Pairs(padded[..., 0], padded[..., 1], valid, starts, counts)


def make_problem(paired, dtype=torch.float32, device="cpu", heads=HEADS, depth=DEPTH, places=True):
    """Return cells, raw offsets and logits, places; reads reach beyond the maps."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape, scale=1.0):
        return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).to(device, dtype)

    samples = heads * len(SHAPES) * HEIGHTS * POINTS
    cells = sum(rows * cols for rows, cols in SHAPES)
    pairs = make_pairs(device) if paired else None
    length = pairs.maps.shape[1] if paired else QUERIES
    tokens = normal(2, 3 if paired else 1, cells, heads * depth).requires_grad_()
    raw = normal(2, QUERIES, 3 * samples, scale=1.5).requires_grad_()
    where = torch.rand(2 if paired else 1, length, HEIGHTS, 2, generator=generator).to(device, dtype)
    return tokens, raw, where, pairs


def attend_by_loop(tokens, raw, places, heads, pairs, turns, joint):
    """Return what `attend` returns, read by read."""
    batch, queries = raw.shape[:2]
    depth, count = tokens.shape[3] // heads, raw.shape[2] // 3
    shape = (batch, queries, heads, len(SHAPES), HEIGHTS, POINTS)
    offsets, logits = raw[..., : 2 * count].reshape(*shape, 2), raw[..., 2 * count :].reshape(shape)
    weights = torch.zeros_like(logits)
    for b, q, m in itertools.product(range(batch), range(queries), range(heads)):
        if joint:
            weights[b, q, m] = logits[b, q, m].exp() / logits[b, q, m].exp().sum()
        for level in range(len(SHAPES)):
            if not joint:
                part = logits[b, q, m, level].exp()
                weights[b, q, m, level] = part / part.sum() / len(SHAPES)
    out = torch.zeros(batch, queries, heads, depth, dtype=tokens.dtype)
    for b, q in itertools.product(range(batch), range(queries)):
        reads = [(q, 0)]
        if pairs is not None:
            found = zip(
                pairs.queries[b].tolist(), pairs.maps[b].tolist(), pairs.valid[b].tolist(), strict=True
            )
            reads = [(v, which) for v, (query, which, valid) in enumerate(found) if valid and query == q]
        for v, which in reads:
            for m, level, z, p in itertools.product(*map(range, shape[2:])):
                (rows, cols), first = SHAPES[level], sum(r * c for r, c in SHAPES[:level])
                cells = tokens[b, which, first : first + rows * cols, m * depth : (m + 1) * depth]
                offset = offsets[b, q, m, level, z, p]
                if turns is not None:
                    cos, sin = turns[b % len(turns), q].tolist()
                    offset = torch.tensor([[cos, -sin], [sin, cos]], dtype=offset.dtype) @ offset
                x, y = (places[b % len(places), v, z] + offset / torch.tensor([cols, rows])).tolist()
                sample = bilinear(cells.T.reshape(depth, rows, cols), x, y)
                out[b, q, m] += weights[b, q, m, level, z, p] * sample / len(reads)
    return out.flatten(2)


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_the_steps_equal_the_loop(paired, joint, turned):
    tokens, raw, places, pairs = make_problem(paired, torch.float64)
    turns = make_turns(turned, dtype=torch.float64)
    found = attend(tokens, SHAPES, raw, places, HEADS, pairs, turns, joint, "torch")
    with torch.no_grad():
        expected = attend_by_loop(tokens, raw, places, HEADS, pairs, turns, joint)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("paired", [True, False])
def test_gradients_of_the_steps_match_finite_differences(paired):
    tokens, raw, places, pairs = make_problem(paired, torch.float64)

    def read(tokens, raw):
        turns = make_turns(not paired, dtype=torch.float64)
        return attend(tokens, SHAPES, raw, places, HEADS, pairs, turns, not paired, "torch")

    assert torch.autograd.gradcheck(read, (tokens, raw), fast_mode=True)


def make_turns(turned, device="cpu", dtype=torch.float32):
    """Return turns and scales (1, Q, 2), or None."""
    if not turned:
        return None
    angle, scale = torch.linspace(-2.0, 3.0, QUERIES), torch.linspace(0.5, 1.5, QUERIES)
    return torch.stack([scale * angle.cos(), scale * angle.sin()], dim=-1)[None].to(device, dtype)


def assert_same_as_torch(tolerance, joint, tokens, raw, places, pairs, turned=False, heads=HEADS):
    """Compare the kernels with the steps in double precision.

    The sums of rounded places and offsets often lie exactly between two cells, where the gradient by an offset jumps:
    steps in the precision of the kernels may fall on the other side.
    """
    turns = make_turns(turned, raw.device)
    upper = torch.randn(*raw.shape[:2], tokens.shape[3]).to(tokens.device, tokens.dtype)

    def results(form, kind):
        cells, steering = (part.detach().to(kind).requires_grad_() for part in (tokens, raw))
        where, around = (
            places.to(kind),
            None if turns is None else turns.to(torch.promote_types(kind, turns.dtype)),
        )
        out = attend(cells, SHAPES, steering, where, heads, pairs, around, joint, form)
        return [out.detach(), *torch.autograd.grad(out, (cells, steering), upper.to(kind))]

    exact = results("torch", torch.float64)
    for one, other in zip(exact, results("triton", tokens.dtype), strict=True):
        assert other.dtype == tokens.dtype
        assert torch.allclose(one, other.double(), atol=tolerance * max(1.0, float(one.abs().max())))


@pytest.mark.skipif(not HAS_TRITON or torch.cuda.is_available(), reason="Triton's interpreter is for CPUs")
@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_triton_kernels_by_interpreter(monkeypatch, paired, joint, dtype):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    tolerance = 1e-5 if dtype == torch.float32 else 1e-2
    assert_same_as_torch(tolerance, joint, *make_problem(paired, dtype), turned=joint)


@pytest.mark.gpu
@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("turned", [True, False])
def test_triton_kernels_equal_torch(paired, joint, dtype, turned):
    problem = make_problem(paired, dtype, "cuda", heads=8, depth=32)
    assert_same_as_torch(1e-4 if dtype == torch.float32 else 2e-2, joint, *problem, turned, heads=8)
