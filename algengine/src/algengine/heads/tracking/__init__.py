"""UniAD's track head: object queries that find and follow."""

from algengine.heads.tracking.track_head import TrackHead

__all__ = ["TrackHead"]
