"""Scores: PDM sub-scores, per-episode scores, score tables and the HTML report."""
