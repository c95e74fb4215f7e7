from __future__ import annotations

import numpy as np
import pytest

from factories import shared_data
from render_factories import make_random_gaussians
from simengine.errors import AssetError
from simengine.render import sh
from simengine.render.assets.asset import Asset, AssetNode, NodeKind
from simengine.render.assets.ply import read_ply, write_ply
from simengine.render.gaussians import FlatGaussians


def asset_of(*parts: FlatGaussians, **values) -> Asset:
    kinds = (NodeKind.BACKGROUND, NodeKind.SKY, NodeKind.RIGID)
    return Asset(
        tuple(AssetNode(f"node_{k.value}", k, part) for k, part in zip(kinds, parts, strict=False)), **values
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_there_and_back(tmp_path, degree):
    before = make_random_gaussians(50, degree, seed=degree)
    origin = np.array([664_123.25, 3_998_456.5, 612.125])
    assert write_ply(tmp_path / "a.ply", asset_of(before, recon2world=origin)) == 50
    asset = read_ply(tmp_path / "a.ply")
    after = asset.nodes[0].gaussians
    np.testing.assert_array_equal(asset.recon2world, origin)
    np.testing.assert_array_equal(after.means, before.means)
    np.testing.assert_array_equal(after.sh, before.sh)
    np.testing.assert_allclose(after.scales, before.scales, rtol=1e-6)
    np.testing.assert_allclose(after.opacities, before.opacities, atol=1e-6)
    unit = before.quats / np.linalg.norm(before.quats, axis=1, keepdims=True)
    np.testing.assert_allclose(after.quats, unit, atol=1e-6)


def test_opacities_of_one_and_zero_come_back(tmp_path):
    edge = FlatGaussians(
        np.zeros((2, 3)), [[1, 0, 0, 0]] * 2, np.ones((2, 3)), [0.0, 1.0], np.zeros((2, 1, 3))
    )
    write_ply(tmp_path / "a.ply", asset_of(edge))
    np.testing.assert_allclose(read_ply(tmp_path / "a.ply").nodes[0].gaussians.opacities, [0, 1], atol=1e-7)


def by_hand(order: str, kind: str, newline: str = "\n") -> bytes:
    """One Gaussian as another tool might write it: odd order of columns, extra ones, comments, other elements."""
    names = [
        "opacity",
        "x",
        "y",
        "z",
        "red",
        *(f"rot_{k}" for k in range(4)),
        *(f"scale_{k}" for k in range(3)),
    ]
    names += [*(f"f_rest_{k}" for k in range(9)), *(f"f_dc_{k}" for k in range(3)), "label"]
    values = [0.0, 1.0, 2.0, 3.0, 200, 2.0, 0.0, 0.0, 0.0, *np.log([0.5, 1.0, 2.0])]
    # Red has bands 1, 2, 3, green 4, 5, 6, blue 7, 8, 9.
    values += [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 0.1, 0.2, 0.3, 7]
    kinds = ["uchar" if name == "red" else "int" if name == "label" else kind for name in names]
    lines = ["ply", f"format {order} 1.0", "comment made  by hand", "obj_info nothing", "element camera 2"]
    lines += [
        "property short id",
        "element vertex 1",
        *(f"property {k} {n}" for k, n in zip(kinds, names, strict=True)),
    ]
    lines += ["element face 0", "property list uchar int vertex_indices", "end_header", ""]
    head = newline.join(lines).encode()
    if order == "ascii":
        return head + newline.join(["5", "6", " ".join(map(str, values)), ""]).encode()
    mark = "<" if order == "binary_little_endian" else ">"
    types = {"uchar": "u1", "int": "i4", "float": "f4", "double": "f8"}
    row = np.array([tuple(values)], [(n, mark + types[k]) for k, n in zip(kinds, names, strict=True)])
    return head + np.array([5, 6], mark + "i2").tobytes() + row.tobytes()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_files_of_other_tools(tmp_path, order, kind, newline):
    (tmp_path / "a.ply").write_bytes(by_hand(order, kind, newline))
    flat = read_ply(tmp_path / "a.ply").nodes[0].gaussians
    np.testing.assert_allclose(flat.means, [[1, 2, 3]])
    np.testing.assert_allclose(flat.quats, [[1, 0, 0, 0]])
    np.testing.assert_allclose(flat.scales, [[0.5, 1, 2]], rtol=1e-6)
    np.testing.assert_allclose(flat.opacities, [0.5])
    np.testing.assert_allclose(flat.sh[0], [[0.1, 0.2, 0.3], [1, 4, 7], [2, 5, 8], [3, 6, 9]], rtol=1e-6)


def test_only_what_stands_is_written_unless_a_node_is_named(tmp_path):
    parts = [make_random_gaussians(count, seed=count) for count in (3, 4, 5)]
    asset = asset_of(*parts)
    assert write_ply(tmp_path / "a.ply", asset) == 7
    assert write_ply(tmp_path / "b.ply", asset, node="node_rigid") == 5
    np.testing.assert_array_equal(read_ply(tmp_path / "b.ply").nodes[0].gaussians.means, parts[2].means)
    with pytest.raises(AssetError, match="nothing to write for node 'nobody'"):
        write_ply(tmp_path / "c.ply", asset, node="nobody")


def test_a_cloud_of_points_is_named(tmp_path):
    with pytest.raises(AssetError, match="export the splats, not points") as caught:
        read_ply(shared_data("data", "hugsim", "vehicle_template_benz.ply"))
    assert "f_dc_0" in str(caught.value)


def test_deformed_files_are_one_sentence(tmp_path):
    good = by_hand("binary_little_endian", "float")
    cases = {
        good[:-1]: "ends after 0 of 1 vertices",
        good[:60]: "header has no end",
        b"nothing": "does not begin with 'ply'",
        b"": "does not begin",
        good.replace(b"float x", b"quad x"): "property of type 'quad'",
        good.replace(b"element vertex", b"element points"): "holds lists|no vertices",
        good.replace(b"property float x\n", b"property list uchar float x\n"): "holds lists",
        good.replace(b"scale_2", b"scale_9"): "these are discs",
        good.replace(b"f_rest_8", b"other_01"): "8 columns f_rest",
        good.replace(b"format binary_little_endian 1.0\n", b""): "names no format",
        by_hand("ascii", "float").replace(b"200", b"nan 1"): "numbers in each",
        by_hand("ascii", "float").replace(b" 2.0 3.0 ", b" nan 3.0 ", 1): "NaN or infinity",
    }
    for content, sentence in cases.items():
        (tmp_path / "a.ply").write_bytes(content)
        with pytest.raises(AssetError, match=sentence) as caught:
            read_ply(tmp_path / "a.ply")
        assert "\n" not in str(caught.value)
    with pytest.raises(AssetError, match="No such file"):
        read_ply(tmp_path / "missing.ply")


def test_a_written_file_shows_the_colours_of_the_other_tools(tmp_path):
    red = FlatGaussians(
        np.zeros((1, 3)), [[1, 0, 0, 0]], np.ones((1, 3)), [0.5], sh.from_rgb([[1.0, 0.0, 0.0]])
    )
    write_ply(tmp_path / "a.ply", asset_of(red))
    raw = (tmp_path / "a.ply").read_bytes()
    head, body = raw.split(b"end_header\n")
    names = [line.split()[-1].decode() for line in head.splitlines() if line.startswith(b"property")]
    values = dict(zip(names, np.frombuffer(body, "<f4"), strict=True))
    assert names[:9] == ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    # 3DGS shows 0.5 + C0 f_dc.
    assert values["f_dc_0"] * sh.C0 + 0.5 == pytest.approx(1.0) and values["opacity"] == pytest.approx(0.0)


def test_flipped_bits_are_read_or_refused_with_one_sentence(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "a.ply"
    for order in ("ascii", "binary_little_endian"):
        good = by_hand(order, "float")
        for place in rng.integers(0, len(good), 150):
            broken = bytearray(good)
            broken[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(broken))
            try:
                read_ply(path)
            except AssetError as error:
                assert "\n" not in str(error)
