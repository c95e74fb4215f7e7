"""The extended PDM score of NAVSIM v2.2 (EPDMS), a second metric beside `metrics.pdm`, one module per idea."""
