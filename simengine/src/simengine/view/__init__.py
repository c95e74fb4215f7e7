"""Drives for people to look at: the viewer in the browser, and videos."""
