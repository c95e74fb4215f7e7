"""Registries of scope `algengine`: models below MMDetection3D's, everything else below MMEngine's.

Datasets, samplers and hooks do not hang below MMDetection3D because looking a name up there imports its dataset
kits, which are not needed here.
"""

from __future__ import annotations

from mmengine import registry as root
from mmengine.registry import Registry

from algengine.mm import ensure_mmcv

ensure_mmcv()

from mmdet3d.registry import MODELS as MMDET3D_MODELS  # noqa: E402


def _child(parent: Registry, *locations: str) -> Registry:
    return Registry(parent.name, parent=parent, scope="algengine", locations=list(locations))


MODELS = _child(MMDET3D_MODELS, "algengine.models", "algengine.heads", "algengine.planners")
DATASETS = _child(root.DATASETS, "algengine.datasets.recordings", "algengine.datasets.openscene")
FUNCTIONS = _child(root.FUNCTIONS, "algengine.datasets.collate")
METRICS = _child(root.METRICS, "algengine.evaluation.displacement", "algengine.evaluation.perception")
HOOKS = _child(root.HOOKS, "algengine.engine.hooks", "algengine.engine.saving")
LOOPS = _child(root.LOOPS, "algengine.engine.loop")
OPTIM_WRAPPER_CONSTRUCTORS = _child(root.OPTIM_WRAPPER_CONSTRUCTORS, "algengine.engine.parameter_groups")
OPTIM_WRAPPERS = _child(root.OPTIM_WRAPPERS, "algengine.engine.precision")
VISBACKENDS = _child(root.VISBACKENDS, "algengine.engine.event_file")

# Nothing of ours is in these; they exist so that names are found from our scope without a warning.
DATA_SAMPLERS = _child(root.DATA_SAMPLERS)
EVALUATOR = _child(root.EVALUATOR)
LOG_PROCESSORS = _child(root.LOG_PROCESSORS)
MODEL_WRAPPERS = _child(root.MODEL_WRAPPERS)
OPTIMIZERS = _child(root.OPTIMIZERS)
PARAM_SCHEDULERS = _child(root.PARAM_SCHEDULERS)
RUNNERS = _child(root.RUNNERS)
VISUALIZERS = _child(root.VISUALIZERS)
WEIGHT_INITIALIZERS = _child(root.WEIGHT_INITIALIZERS)
