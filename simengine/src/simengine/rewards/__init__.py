"""Rewards: the sub-scores of every entry of a vocabulary at one instant, in memory and on disk."""
