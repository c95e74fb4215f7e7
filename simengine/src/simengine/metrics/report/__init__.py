"""The HTML report: one self-contained file with a score table and an animation of every scenario."""

from simengine.metrics.report.page import write_report

__all__ = ["write_report"]
