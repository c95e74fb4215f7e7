"""Scenarios from nuPlan: SQLite logs, GeoPackage maps, NAVSIM filters, OpenScene metadata, asset configs."""
