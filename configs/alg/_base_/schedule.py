# AdamW, linear warm-up, cosine decay per iteration.
optim_wrapper = dict(
    type='PlannerOptimWrapper',
    dtype='float32',
    accumulative_counts=1,
    optimizer=dict(type='AdamW', lr=1.4e-3, weight_decay=0.02),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=8, val_interval=8)
val_cfg = dict(type='ValLoop')
