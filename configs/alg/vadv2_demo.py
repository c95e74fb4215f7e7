# The shipped demo planner: VADv2 at reduced size, imitation on recordings of the built-in `common_train` split.
_base_ = ['./_base_/model.py', './_base_/data.py', './_base_/schedule.py', './_base_/runtime.py']

custom_hooks = [
    dict(type='VocabularyHook', path={{_base_.vocabulary}}),
    dict(type='PlainCheckpointHook'),
]
