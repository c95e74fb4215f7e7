"""Point clouds of lidars in a scene of Gaussians; see docs/lidar.md."""
