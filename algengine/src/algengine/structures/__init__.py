"""Values that travel with a sample."""

from algengine.structures.planning_sample import PlanningDataSample

__all__ = ["PlanningDataSample"]
