# Logging, checkpoints and seeds; see docs/training.md.
default_scope = 'algengine'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='ResumableCheckpointHook', interval=1, iterations=0, max_keep_ckpts=1),
    sampler_seed=dict(type='DistSamplerSeedHook'))
env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl'))
log_processor = dict(window_size=20)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend'), dict(type='EventFileBackend')])
log_level = 'INFO'
randomness = dict(seed=0)
ema_momentum = 0.0
gradient_checkpointing = False
find_unused_parameters = False
compile_parts = ()
map_cache = dict(root='', variants=2, dtype='float16')
load_from = None
resume = False
