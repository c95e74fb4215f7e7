"""PDM sub-scores as NAVSIM v1.1 computes them, one module each, batched over P state sequences (P, S, 11)."""
