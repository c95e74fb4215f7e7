# Eight epochs of AdamW at a global batch of 16; the rate falls with every iteration, not once per epoch.
optim_wrapper = dict(
    type='PlannerOptimWrapper',
    dtype='float32',
    constructor='GroupedOptimWrapperConstructor',
    accumulative_counts=1,
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01, fused=True),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}),
    clip_grad=dict(max_norm=35.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0 / 3.0, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', eta_min=2e-7, by_epoch=True, convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=False, base_batch_size=16)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=8, val_interval=8)
val_cfg = dict(type='ValLoop')
