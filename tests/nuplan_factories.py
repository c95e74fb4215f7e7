"""Writers of nuPlan maps in the schema of v1.1, column for column, and a small town to drive in."""

from __future__ import annotations

import json
import sqlite3
import struct
from pathlib import Path

import numpy as np
import shapely

from simengine.scenario.nuplan.utm import Utm

ORIGIN = np.array([664_430.0, 3_996_650.0])
"""Where the town lies: Las Vegas, UTM zone 11 [m]."""
PLACE, VERSION, EPSG = "us-nv-las-vegas-strip", "9.15.1915", 32611
_WGS84 = 4326

_TEXT, _INT, _REAL, _BOOL = "TEXT(256)", "INTEGER", "REAL", "BOOLEAN"
COLUMNS = {
    "boundaries": {
        "boundary_segment_fids": _TEXT,
        "has_reflectors": _BOOL,
        "boundary_type_fid": _INT,
        "creator_id": _TEXT,
    },
    "baseline_paths": {
        "path_type_fid": _INT,
        "creator_id": _TEXT,
        "lane_fid": _INT,
        "lane_connector_fid": _INT,
        "dubins_node_fids": _TEXT,
    },
    "lanes_polygons": {
        "lane_group_fid": _INT,
        "lane_fid": _INT,
        "lane_index": "MEDIUMINT",
        "creator_id": _TEXT,
        "name": _TEXT,
        "road_type_fid": _INT,
        "lane_type_fid": _INT,
        "width": "MEDIUMINT",
        "left_offset": _REAL,
        "right_offset": _REAL,
        "min_speed": _REAL,
        "max_speed": _REAL,
        "stops": "MEDIUMINT",
        "left_boundary_fid": _INT,
        "right_boundary_fid": _INT,
        "speed_limit_mps": _REAL,
        "left_has_reflectors": _BOOL,
        "right_has_reflectors": _BOOL,
        "from_edge_fid": _INT,
        "to_edge_fid": _INT,
    },
    "lane_connectors": {
        "exit_lane_group_fid": _INT,
        "exit_lane_fid": _INT,
        "entry_lane_group_fid": _INT,
        "lane_group_connector_fid": _INT,
        "entry_lane_fid": _INT,
        "intersection_fid": _INT,
        "turn_type_fid": _INT,
        "bulb_fids": _TEXT,
        "traffic_light_stop_line_fids": _TEXT,
        "overlap": "MEDIUMINT",
        "creator_id": _TEXT,
        "reflector_side_fid": _INT,
        "left_has_reflectors": _BOOL,
        "right_has_reflectors": _BOOL,
        "speed_limit_mps": _REAL,
    },
    "lane_groups_polygons": {
        "creator_id": _TEXT,
        "left_boundary_fid": _INT,
        "right_boundary_fid": _INT,
        "from_edge_fid": _INT,
        "to_edge_fid": _INT,
    },
    "lane_group_connectors": {
        "intersection_fid": _INT,
        "from_lane_group_fid": _INT,
        "to_lane_group_fid": _INT,
        "creator_id": _TEXT,
        "from_edge_fid": _INT,
        "to_edge_fid": _INT,
        "left_boundary_fid": _INT,
        "right_boundary_fid": _INT,
    },
    "gen_lane_connectors_scaled_width_polygons": {
        "baseline_path_fid": _INT,
        "lane_connector_fid": _INT,
        "from_edge_fid": _INT,
        "to_edge_fid": _INT,
        "left_boundary_fid": _INT,
        "right_boundary_fid": _INT,
    },
    "stop_polygons": {
        "stop_polygon_type_fid": _INT,
        "lane_group_fid": _INT,
        "lane_fids": _TEXT,
        "lane_connector_fids": _TEXT,
        "traffic_light_fids": _TEXT,
        "crosswalk_fids": _TEXT,
        "precedence_area_fids": _TEXT,
        "creator_id": _TEXT,
    },
    "intersections": {"creator_id": _TEXT, "intersection_type_fid": _INT, "is_mini": _BOOL},
    "crosswalks": {"intersection_fids": _TEXT, "lane_fids": _TEXT, "creator_id": _TEXT, "is_marked": _BOOL},
    "walkways": {"creator_id": _TEXT},
    "carpark_areas": {"heading": _REAL, "creator_id": _TEXT},
    "generic_drivable_areas": {"creator_id": _TEXT},
    "road_segments": {"lane_group_fids": _TEXT},
    "dubins_nodes": {"radius": _REAL, "heading": _REAL, "creator_id": _TEXT},
}
_LINES = {"boundaries", "baseline_paths", "lane_connectors"}
Tables = dict[str, list[dict]]


def write_map(root: Path, tables: Tables, **options: object) -> Path:
    """Write a map and the version file as nuPlan lays them out below `root`; return the map file."""
    root.mkdir(parents=True, exist_ok=True)
    versions = {PLACE: {"version": VERSION, "layers": {}}}
    (root / "nuplan-maps-v1.0.json").write_text(json.dumps(versions))
    return write_gpkg(root / PLACE / VERSION / "map.gpkg", tables, **options)


def write_gpkg(
    path: Path,
    tables: Tables,
    *,
    srs: int = _WGS84,
    index: bool = True,
    envelopes: bool = True,
    meta: bool = True,
) -> Path:
    """Write layers of shapely geometries in UTM metres from `ORIGIN`.

    Args:
        path: the file to make.
        tables: layer -> rows with `fid`, `geom` and any of the layer's columns.
        srs: longitude and latitude as nuPlan has it, or the UTM zone itself.
        index: write R-trees.
        envelopes: write envelopes into the geometry headers.
        meta: write the table that names the UTM zone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    base = sqlite3.connect(path)
    base.executescript(
        """
        PRAGMA application_id=0x47504B47; PRAGMA user_version=10300;
        CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
            organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,
            description TEXT);
        CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
            identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT
            (strftime('%Y-%m-%dT%H:%M:%fZ','now')), min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
            srs_id INTEGER);
        CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
            geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
            PRIMARY KEY (table_name, column_name));
        CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
            definition TEXT NOT NULL, scope TEXT NOT NULL);
        """
    )
    for code, name in ((_WGS84, "WGS 84 geodetic"), (EPSG, "WGS 84 / UTM zone 11N")):
        base.execute(
            "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, 'EPSG', ?, ?, '')",
            (name, code, code, f"EPSG:{code}"),
        )
    if meta:
        base.execute("CREATE TABLE meta (fid INTEGER PRIMARY KEY, key TEXT, value TEXT)")
        base.executemany(
            "INSERT INTO meta (key, value) VALUES (?, ?)",
            [("geographicCoordSystem", "epsg:4326"), ("projectedCoordSystem", f"epsg:{EPSG}")],
        )
    for name, rows in tables.items():
        _write_layer(base, name, rows, srs, index, envelopes)
    base.commit()
    base.close()
    return path


def _write_layer(
    base: sqlite3.Connection, name: str, rows: list[dict], srs: int, index: bool, envelopes: bool
) -> None:
    kind = "LINESTRING" if name in _LINES else "POLYGON"
    columns = "".join(f', "{column}" {of}' for column, of in COLUMNS[name].items())
    base.execute(
        f'CREATE TABLE "{name}" ("fid" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "geom" {kind}{columns})'
    )
    base.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES (?, 'features', ?, ?)",
        (name, name, srs),
    )
    base.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", (name, kind, srs))
    if index:
        base.execute(f'CREATE VIRTUAL TABLE "rtree_{name}_geom" USING rtree(id, minx, maxx, miny, maxy)')
    for row in rows:
        stored = shapely.transform(row["geom"], lambda points: points + ORIGIN)
        if srs == _WGS84:
            stored = shapely.transform(stored, Utm.from_epsg(EPSG).inverse)
        values = row | {"geom": geometry_blob(stored, srs, envelopes)}
        names = ", ".join(f'"{key}"' for key in values)
        base.execute(
            f'INSERT INTO "{name}" ({names}) VALUES ({", ".join("?" * len(values))})', list(values.values())
        )
        if index:
            west, south, east, north = shapely.bounds(stored).tolist()
            base.execute(
                f'INSERT INTO "rtree_{name}_geom" VALUES (?, ?, ?, ?, ?)',
                (row["fid"], west, east, south, north),
            )


def geometry_blob(shape: shapely.Geometry, srs: int, envelope: bool) -> bytes:
    """Return a geometry as GeoPackages store it."""
    west, south, east, north = shapely.bounds(shape).tolist()
    header = struct.pack("<2sBBi", b"GP", 0, 0b11 if envelope else 0b1, srs)
    return (
        header + (struct.pack("<4d", west, east, south, north) if envelope else b"") + shapely.to_wkb(shape)
    )


def town() -> Tables:
    """Return a signalled crossing: a road of two lanes from the west that goes on east or turns north.

    Roadblocks 100 (west, lanes 101 left and 102 right), 200 (east, 201 and 202), 300 (north, 301) and 400 (south,
    401); connectors 501 (101-201), 502 (102-202), 503 (101-301), 504 (401-301) in roadblock connectors 600, 601 and
    602; junction 700, stop polygon 800 of the west arm. Speed limits 15 and 10 m/s.
    """
    tables: Tables = {name: [] for name in COLUMNS}
    add = lambda layer, fid, geom, **values: tables[layer].append({"fid": fid, "geom": geom, **values})  # noqa: E731
    lanes = {
        101: (100, 0, [(-120, 1.75), (-20, 1.75)]),
        102: (100, 1, [(-120, -1.75), (-20, -1.75)]),
        201: (200, 0, [(20, 1.75), (180, 1.75)]),
        202: (200, 1, [(20, -1.75), (180, -1.75)]),
        301: (300, 0, [(0, 20), (0, 120)]),
        401: (400, 0, [(0, -120), (0, -20)]),
    }
    for fid, (group, place, ends) in lanes.items():
        line = shapely.LineString(ends)
        add("baseline_paths", 2000 + fid, line.segmentize(5.0), lane_fid=fid, path_type_fid=0)
        sides = [line.parallel_offset(1.75, side) for side in ("left", "right")]
        # Lanes side by side share the dashed line between them: the right one of the left lane.
        borders = [3000 + 10 * fid, 3001 + 10 * fid]
        if place == 1:
            borders[0] = 3001 + 10 * (fid - 1)
        for side, border in enumerate(sides):
            dashed = (place, side) == (0, 1) and group in (100, 200)
            if (place, side) != (1, 0):
                add("boundaries", borders[side], border, boundary_type_fid=0 if dashed else 2)
        add(
            "lanes_polygons",
            fid,
            line.buffer(1.75, cap_style="flat"),
            lane_group_fid=group,
            lane_fid=fid,
            lane_index=place,
            lane_type_fid=0,
            left_boundary_fid=borders[0],
            right_boundary_fid=borders[1],
            speed_limit_mps=15.0,
        )
    for fid, ring in {
        100: (-120, -3.5, -20, 3.5),
        200: (20, -3.5, 180, 3.5),
        300: (-1.75, 20, 1.75, 120),
        400: (-1.75, -120, 1.75, -20),
    }.items():
        add("lane_groups_polygons", fid, shapely.box(*ring))
    turn = [(-20, 1.75), (-12, 1.75), (-6, 4), (-2, 9), (0, 14), (0, 20)]
    connectors = {
        501: (101, 201, 600, [(-20, 1.75), (20, 1.75)]),
        502: (102, 202, 600, [(-20, -1.75), (20, -1.75)]),
        503: (101, 301, 601, turn),
        504: (401, 301, 602, [(0, -20), (0, 20)]),
    }
    for fid, (leaves, enters, block, ends) in connectors.items():
        line = shapely.LineString(ends).segmentize(4.0)
        add("baseline_paths", 2000 + fid, line, lane_connector_fid=fid, path_type_fid=1)
        add(
            "lane_connectors",
            fid,
            line,
            exit_lane_fid=leaves,
            entry_lane_fid=enters,
            exit_lane_group_fid=lanes[leaves][0],
            entry_lane_group_fid=lanes[enters][0],
            lane_group_connector_fid=block,
            intersection_fid=700,
            traffic_light_stop_line_fids="800" if leaves in (101, 102) else "",
            speed_limit_mps=10.0 if fid != 504 else None,
        )
        add(
            "gen_lane_connectors_scaled_width_polygons",
            4000 + fid,
            line.buffer(1.75, cap_style="flat"),
            lane_connector_fid=fid,
            baseline_path_fid=2000 + fid,
        )
    blocks = {
        600: (100, 200, shapely.box(-20, -3.5, 20, 3.5)),
        601: (100, 300, shapely.LineString(turn).buffer(1.75, cap_style="flat")),
        602: (400, 300, shapely.box(-1.75, -20, 1.75, 20)),
    }
    for fid, (leaves, enters, shape) in blocks.items():
        add(
            "lane_group_connectors",
            fid,
            shape,
            from_lane_group_fid=leaves,
            to_lane_group_fid=enters,
            intersection_fid=700,
        )
    add("intersections", 700, shapely.box(-20, -20, 20, 20), intersection_type_fid=1, is_mini=False)
    add("stop_polygons", 800, shapely.box(-24, -3.5, -20, 3.5), stop_polygon_type_fid=2, lane_fids="101,102")
    add("crosswalks", 900, shapely.box(-28, -3.5, -25, 3.5), intersection_fids="700", is_marked=True)
    add("walkways", 901, shapely.box(-120, -7, -20, -4))
    add("carpark_areas", 902, shapely.box(60, 3.5, 80, 15), heading=0.0)
    add("generic_drivable_areas", 903, shapely.box(100, 3.5, 120, 9))
    return tables
