# Clips of three OpenScene frames with boxes and maps; four for validation, the last of which is the token's.
_base_ = ['./openscene.py']

grid = dict(x_range=(-51.2, 51.2), y_range=(-51.2, 51.2), cell=0.512)
labels = dict(
    pdm_path=None,
    objects=dict(x_range=(-51.2, 51.2), y_range=(-51.2, 51.2)),
    maps=dict(map_root='data/raw/nuplan/dataset/maps', **grid))

train_dataloader = dict(batch_size=1, dataset=dict(queue_length=3, **labels))
val_dataloader = dict(dataset=dict(queue_length=4, **labels))
val_evaluator = dict(_delete_=True, type='PerceptionMetric')
custom_hooks = [dict(type='PlainCheckpointHook')]
