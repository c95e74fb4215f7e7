import sqlite3
import struct

import numpy as np
import pytest
import shapely

from nuplan_factories import EPSG, ORIGIN, PLACE, town, write_gpkg
from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.geopackage import WGS84, GeoPackage
from simengine.scenario.nuplan.projection import Projection
from simengine.scenario.nuplan.utm import Utm

WINDOW = (ORIGIN[0] - 30, ORIGIN[1] - 30, ORIGIN[0] + 30, ORIGIN[1] + 30)


def replace_blob(path, layer, fid, blob) -> None:
    with sqlite3.connect(path) as base:
        base.execute(f'UPDATE "{layer}" SET geom = ? WHERE fid = ?', (blob, fid))
    base.close()


@pytest.mark.parametrize("layer", ["lanes_polygons", "baseline_paths", "crosswalks"])
def test_windows_by_index_by_envelope_and_by_geometry_agree(tmp_path, layer):
    found = []
    for index, envelopes in ((True, True), (False, True), (False, False)):
        package = GeoPackage(
            write_gpkg(tmp_path / f"{index}{envelopes}.gpkg", town(), index=index, envelopes=envelopes)
        )
        bounds = Projection(EPSG).to_layer(WINDOW, WGS84)
        found.append(sorted(package.layer(layer).within(bounds)))
    assert found[0] == found[1] == found[2]
    boxes = {row["fid"]: shapely.bounds(row["geom"]) for row in town()[layer]}
    slow = [fid for fid, (w, s, e, n) in boxes.items() if w <= 30 and e >= -30 and s <= 30 and n >= -30]
    assert found[0] == sorted(slow)


def test_geometries_come_back_in_metres_of_the_datum(tmp_path):
    for srs in (WGS84, EPSG):
        package = GeoPackage(write_gpkg(tmp_path / f"{srs}.gpkg", town(), srs=srs))
        layer = package.layer("lanes_polygons")
        shapes = layer.geometries([202, 101], Projection.of_map(package, PLACE).from_layer(layer.srs_id))
        assert list(shapes) == [202, 101]
        for row in town()["lanes_polygons"]:
            if row["fid"] in shapes:
                got = shapely.get_coordinates(shapes[row["fid"]]) - ORIGIN
                np.testing.assert_allclose(got, shapely.get_coordinates(row["geom"]), atol=1e-7)


def test_to_layer_holds_the_whole_window(tmp_path):
    west, south, east, north = Projection(EPSG).to_layer(WINDOW, WGS84)
    rng = np.random.default_rng(0)
    inside = np.stack(
        [rng.uniform(WINDOW[0], WINDOW[2], 999), rng.uniform(WINDOW[1], WINDOW[3], 999)], axis=1
    )
    lon, lat = Utm.from_epsg(EPSG).inverse(inside).T
    assert ((lon > west) & (lon < east) & (lat > south) & (lat < north)).all()


@pytest.mark.parametrize("kind", ["big-endian", "xyz", "no envelope", "z coordinates"])
def test_header_variants(tmp_path, kind):
    path = write_gpkg(tmp_path / "map.gpkg", town(), srs=EPSG, index=False)
    shape = shapely.box(1, 2, 3, 5)
    body = shapely.to_wkb(shape)
    if kind == "big-endian":
        blob = struct.pack(">2sBBi4d", b"GP", 0, 0b10, EPSG, 1, 3, 2, 5) + shapely.to_wkb(shape, byte_order=0)
    elif kind == "xyz":
        blob = struct.pack("<2sBBi6d", b"GP", 0, 0b101, EPSG, 1, 3, 2, 5, 0, 0) + body
    elif kind == "no envelope":
        blob = struct.pack("<2sBBi", b"GP", 0, 1, EPSG) + body
    else:
        blob = struct.pack("<2sBBi", b"GP", 0, 1, EPSG) + shapely.to_wkb(shapely.force_3d(shape, 7.0))
    replace_blob(path, "crosswalks", 900, blob)
    layer = GeoPackage(path).layer("crosswalks")
    assert layer.within((0, 0, 1.5, 9)) == [900]
    assert layer.within((4, 0, 9, 9)) == []
    assert not layer.geometries([900])[900].has_z
    np.testing.assert_array_equal(
        shapely.get_coordinates(layer.geometries([900])[900]), shapely.get_coordinates(shape)
    )


def test_empty_and_missing_geometries_are_left_out(tmp_path):
    path = write_gpkg(tmp_path / "map.gpkg", town(), index=False)
    replace_blob(path, "walkways", 901, None)
    empty = struct.pack("<2sBBi", b"GP", 0, 0x11, WGS84) + shapely.to_wkb(shapely.Polygon())
    replace_blob(path, "crosswalks", 900, empty)
    package = GeoPackage(path)
    for name, fid in (("walkways", 901), ("crosswalks", 900)):
        assert package.layer(name).geometries([fid, 12345]) == {}
        assert package.layer(name).within((-180, -90, 180, 90)) == []


@pytest.mark.parametrize(
    ("blob", "what"),
    [
        (b"XX\x00\x01" + bytes(40), "no GeoPackage header"),
        (b"GP", "no GeoPackage header"),
        (b"GP\x00\x0f" + bytes(80), "envelope of kind 7"),
        (struct.pack("<2sBBi", b"GP", 0, 1, 4326) + b"\x01\x03\x00\x00\x00\x01", "malformed geometry"),
    ],
)
def test_a_malformed_geometry_is_named(tmp_path, blob, what):
    path = write_gpkg(tmp_path / "map.gpkg", town())
    replace_blob(path, "intersections", 700, blob)
    with pytest.raises(ScenarioFormatError, match=f"feature 700 of layer intersections.*{what}|{what}"):
        GeoPackage(path).layer("intersections").geometries([700])


def test_attributes_missing_columns_and_layers(tmp_path):
    package = GeoPackage(write_gpkg(tmp_path / "map.gpkg", town()))
    layer = package.layer("lanes_polygons")
    assert layer.attributes(["lane_index", "no_such_column"])[102] == (1, None)
    assert list(layer.attributes(["lane_fid"], [301, 101])) == [101, 301]
    assert package.layer("no_such_layer") is None


def test_broken_files_are_one_sentence(tmp_path):
    whole = write_gpkg(tmp_path / "map.gpkg", town())
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    text = tmp_path / "text.gpkg"
    text.write_text("not a database, but long enough to be mistaken for one" * 50)
    plain = tmp_path / "plain.gpkg"
    with sqlite3.connect(plain) as base:
        base.execute("CREATE TABLE other (x)")
    base.close()
    for path, words in (
        (cut, "cut.gpkg.*cannot be read.*copy it again"),
        (text, "text.gpkg.*not a database"),
        (plain, "plain.gpkg.*no GeoPackage"),
        (tmp_path / "none.gpkg", "no such file"),
    ):
        with pytest.raises(ScenarioFormatError, match=words):
            package = GeoPackage(path)
            for name in town():
                package.layer(name).geometries([row["fid"] for row in town()[name]])


def test_the_datum_is_the_one_the_map_states(tmp_path):
    package = GeoPackage(write_gpkg(tmp_path / "map.gpkg", town(), meta=False))
    assert Projection.of_map(package, "us-ma-boston") == Projection(32619)
    with pytest.raises(ScenarioFormatError, match="'atlantis' is no known city"):
        Projection.of_map(package, "atlantis")
    for stated in ("epsg:32611", "EPSG:32611", "urn:ogc:def:crs:EPSG::32611", "32611"):
        path = write_gpkg(tmp_path / "stated.gpkg", town())
        with sqlite3.connect(path) as base:
            base.execute("UPDATE meta SET value = ? WHERE key = 'projectedCoordSystem'", (stated,))
        base.close()
        assert Projection.of_map(GeoPackage(path), "atlantis") == Projection(32611)


def test_other_coordinate_systems_need_pyproj(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyproj", None)
    with pytest.raises(ScenarioFormatError, match=r"EPSG:3857.*install pyproj"):
        Projection(EPSG).from_layer(3857)


def test_geometries_are_those_of_gdal_and_proj(tmp_path):
    """The calls of nuplan-devkit's map reader, where their libraries are installed."""
    pyogrio = pytest.importorskip("pyogrio")
    geopandas = pytest.importorskip("geopandas")
    path = write_gpkg(tmp_path / "map.gpkg", town())
    meta = geopandas.read_file(path, layer="meta", engine="pyogrio")
    datum = meta[meta["key"] == "projectedCoordSystem"]["value"].iloc[0]
    package = GeoPackage(path)
    projection = Projection.of_map(package, PLACE)
    compared = 0
    for name, rows in town().items():
        if not rows:
            continue
        frame = pyogrio.read_dataframe(path, layer=name, fid_as_index=True).to_crs(datum)
        layer = package.layer(name)
        ours = layer.geometries(frame.index, projection.from_layer(layer.srs_id))
        assert sorted(ours) == sorted(frame.index) == sorted(row["fid"] for row in rows)
        for fid, shape in frame.geometry.items():
            np.testing.assert_allclose(
                shapely.get_coordinates(ours[fid]), shapely.get_coordinates(shape), atol=1e-6, rtol=0
            )
            compared += 1
    assert compared > 40
