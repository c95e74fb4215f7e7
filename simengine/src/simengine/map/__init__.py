"""Questions one asks a vector map: where the route goes, what lies around a point."""
