"""The traffic of the published loop: agents that come and go by their log, and its driver model at 2 Hz."""
