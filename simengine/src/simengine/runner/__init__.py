"""Runs many scenarios: one worker or many, each result on disk before the next begins."""
