from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from asset_factories import SKY, moving_dict, node_dict, write_checkpoint
from simengine.cli.main import main
from simengine.config.build import check
from simengine.config.compat import PRESET
from simengine.config.compose import compose_run
from simengine.config.protocols import settled
from simengine.config.scenes import cache_bytes
from simengine.errors import AssetError, ConfigError
from simengine.render.assets.asset import NodeKind
from simengine.render.assets.formats import find_asset, read_asset, write_asset
from simengine.render.sh import from_rgb
from simengine.world.splits import builtin_handles
from stage_factories import as_asset


@pytest.fixture
def checkpoint(tmp_path):
    nodes = {
        "background": node_dict(count=400, recon2world_translation=[10.0, 20.0, 30.0]),
        "skybox": node_dict(SKY, count=30),
        "object_0_abc": moving_dict(
            np.array([[1.0, 2, 3], [2, 2, 3], [0, 0, 1e5]]), [[1, 0, 0, 0]] * 3, count=20
        ),
        "walker": node_dict("DeformableSubModel"),
    }
    return write_checkpoint(tmp_path, "place", nodes)


def said(capsys, *words) -> tuple[int, str, str]:
    code = main(["asset", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_info_lists_every_node(checkpoint, capsys):
    code, out, _ = said(capsys, "info", checkpoint.parent.parent)
    assert code == 0
    for word in ("background", "skybox", "object_0_abc", "2 of 3", "400", "450", "(10.00, 20.00, 30.00)"):
        assert word in out


def test_convert_and_back(checkpoint, tmp_path, capsys):
    code, out, _ = said(capsys, "convert", checkpoint, tmp_path / "place.npz")
    assert code == 0 and "MiB" in out
    asset = read_asset(tmp_path / "place.npz")
    assert [node.name for node in asset.nodes] == ["background", "skybox", "object_0_abc"]
    code, out, _ = said(capsys, "convert", tmp_path / "place.npz", tmp_path / "place.ply")
    assert code == 0 and "1 objects have no place" in out
    assert read_asset(tmp_path / "place.ply").num_gaussians == 430
    words = (checkpoint, tmp_path / "car.ply", "--node", "object_0_abc")
    assert said(capsys, "convert", *words)[0] == 0
    assert read_asset(tmp_path / "car.ply").num_gaussians == 20


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        ("a.ckpt", ["--node", "x"], "a .ckpt holds all nodes"),
        ("a.splat", [], "ends in '.splat', expected one of .ckpt, .ply, .npz"),
        ("a.npz", ["--node", "x"], "holds all nodes"),
        ("a.ply", ["--node", "x"], "nothing to write for node 'x'"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(checkpoint, tmp_path, capsys, target, options, sentence):
    code, _, err = said(capsys, "convert", checkpoint, tmp_path / target, *options)
    assert code == 1 and sentence in err and err.startswith("simengine asset: ")
    assert not (tmp_path / target).exists()


def test_check_says_which_file_and_why(checkpoint, tmp_path, capsys):
    code, out, _ = said(capsys, "check", checkpoint)
    assert code == 0 and "good, 3 nodes, 450 Gaussians" in out
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(checkpoint.read_bytes()[:2000])
    (tmp_path / "code.ckpt").write_bytes(b"cposix\nsystem\n(S'touch ran'\ntR.")
    code, out, err = said(capsys, "check", cut, checkpoint, tmp_path / "code.ckpt", tmp_path / "no.npz")
    assert code == 1 and out.count("good") == 1
    lines = err.strip().splitlines()
    assert [line.split(":")[0].rsplit("/", 1)[-1] for line in lines] == ["cut.ckpt", "code.ckpt", "no.npz"]


def test_check_mentions_doubts(tmp_path, capsys):
    nodes = {
        "background": node_dict(),
        "lost_a": moving_dict(np.array([[0.0, 0, 1e5]] * 2), [[1, 0, 0, 0]] * 2),
        "loose_b": node_dict("RigidSubModel"),
        "huge_b": node_dict("RigidSubModel", tensors={"means": [[0.0, 0, 0], [90.0, 0, 0]]}),
    }
    code, out, _ = said(capsys, "check", write_checkpoint(tmp_path, "a", nodes))
    assert code == 0
    for sentence in ("lost_a is absent in all", "loose_b has no log poses", "huge_b is 88 m long", "track b"):
        assert sentence in out


def test_assets_are_found_by_id(checkpoint, tmp_path):
    asset = read_asset(checkpoint)
    assert find_asset(tmp_path, "place") == checkpoint == find_asset(tmp_path, "place-001")
    assert find_asset(tmp_path, "elsewhere") is None
    write_asset(tmp_path / "assets" / "inner.npz", asset)
    write_asset(tmp_path / "own-002.ply", asset)
    assert find_asset(tmp_path, "inner").name == "inner.npz"
    assert find_asset(tmp_path, "own-002").name == "own-002.ply"
    with pytest.raises(AssetError, match=r"expected the folder of one asset"):
        read_asset(tmp_path / "assets")


def front_images(run) -> np.ndarray:
    """Return the front images (D, H, W, 3) that a run recorded of its only scenario."""
    (path,) = (run / "observations").glob("*.npz")
    with np.load(path) as stored:
        ends = np.cumsum(stored["jpeg_sizes"].ravel())
        raw = stored["jpeg_bytes"].tobytes()
    starts = [0, *ends[:-1]]
    return np.stack([np.array(Image.open(io.BytesIO(raw[a:b]))) for a, b in zip(starts, ends, strict=True)])


def test_a_run_draws_the_asset_of_its_scenario(tmp_path, capsys):
    """The first demo scenario in what it is lifted to, written as a released asset with a red sky."""
    (handle, *_) = builtin_handles("demo")
    asset = as_asset(handle.load())
    red = from_rgb([[1.0, 0.0, 0.0]]).astype(np.float32)[0]
    nodes = [
        replace(n, gaussians=replace(n.gaussians, sh=np.broadcast_to(red, n.gaussians.sh.shape)))
        if n.kind is NodeKind.SKY
        else n
        for n in asset.nodes
    ]
    write_asset(
        tmp_path / "assets" / handle.token / "background" / f"{handle.token}.ckpt",
        replace(asset, nodes=tuple(nodes)),
    )
    words = [
        "run",
        "ego=log_replay",
        "controller=perfect",
        "num_scenarios=1",
        "render.backend=cpu",
        "report=false",
    ]
    words += ["render.width_px=64", "render.height_px=36", "metric=none"]
    for name, more in (("lifted", []), ("asset", [f"render.asset_root={tmp_path / 'assets'}"])):
        assert main([*words, f"output_dir={tmp_path / name}", *more]) == 0, capsys.readouterr()
    lifted, drawn = (front_images(tmp_path / name).astype(float) for name in ("lifted", "asset"))
    sky, road = (slice(None), slice(0, 5)), (slice(None), slice(28, 36))
    assert drawn[sky][..., 0].mean() > drawn[sky][..., 2].mean() + 80 and lifted[sky][..., 2].mean() > 120
    # A little of the sky shines through the road, and JPEG spreads colours over blocks.
    changed = np.abs(drawn - lifted)
    assert changed[road].mean() < 0.3 * changed[sky].mean()


def test_a_folder_of_assets_that_is_not_there_is_one_sentence(tmp_path, capsys):
    words = ["ego=log_replay", "controller=perfect", "num_scenarios=1"]
    for key in ("asset_root", "agent_library"):
        assert (
            main(["run", *words, f"output_dir={tmp_path / key}", f"render.{key}={tmp_path / 'nowhere'}"]) == 1
        )
        assert (
            f"render.{key} is {tmp_path / 'nowhere'}, but there is no such folder" in capsys.readouterr().err
        )


def test_the_protocol_says_how_scenarios_stand_in_assets(monkeypatch):
    monkeypatch.delenv("WORLDENGINE_ROOT", raising=False)
    ours, published = compose_run([]), compose_run([], PRESET)
    assert settled(ours).render.composition == "corrected"
    assert settled(published).render.composition == "worldengine_v1"
    assert settled(compose_run(["render.composition=corrected"], PRESET)).render.composition == "corrected"
    folder = "data/sim_engine/assets/navtest_failures/assets"
    assert compose_run([f"asset_folder_path={folder}"], PRESET).render.asset_root == folder
    with pytest.raises(
        ConfigError, match=r"render.composition is 'mixed', expected one of corrected, worldengine_v1"
    ):
        check(compose_run(["render.composition=mixed"]))
    with pytest.raises(ConfigError, match="render.cache_mib is -1"):
        cache_bytes(compose_run(["render.cache_mib=-1"]).render)
