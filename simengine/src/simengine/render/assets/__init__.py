"""Reconstructed scenes in files: the released layout, 3DGS .ply, our compact format, and how they take the stage."""
