cameras = (
    'CAM_F0',
    'CAM_L0',
    'CAM_L1',
    'CAM_L2',
    'CAM_R0',
    'CAM_R1',
    'CAM_R2',
    'CAM_B0',
)
cell = 1.6
compile_parts = ()
custom_hooks = [
    dict(
        path='data/alg_engine/vocabulary/hydramdp_demo.npy',
        type='VocabularyHook'),
    dict(type='PlainCheckpointHook'),
]
default_hooks = dict(
    checkpoint=dict(
        interval=1,
        iterations=0,
        max_keep_ckpts=1,
        type='ResumableCheckpointHook'),
    logger=dict(interval=20, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    timer=dict(type='IterTimerHook'))
default_scope = 'algengine'
dims = 64
ema_momentum = 0.0
env_cfg = dict(
    cudnn_benchmark=True,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
find_unused_parameters = False
gradient_checkpointing = False
layers = (
    'drivable',
    'centerline',
    'crosswalk',
    'red_light',
    'vehicle',
    'person',
    'obstacle',
    'vehicle_1s',
    'vehicle_2s',
)
load_from = 'algengine/src/algengine/assets/vadv2_demo/weights.pth'
log_level = 'INFO'
log_processor = dict(window_size=20)
model = dict(
    autocast='bfloat16',
    backbone=dict(
        base_channels=16,
        depth=18,
        norm_cfg=dict(requires_grad=True, type='BN'),
        norm_eval=False,
        out_indices=(
            1,
            2,
            3,
        ),
        stem_channels=16,
        style='pytorch',
        type='mmdet.ResNet'),
    bev_encoder=dict(
        cell=1.6,
        dims=64,
        dropout=0.1,
        heads=4,
        heights=(
            0.0,
            1.0,
            3.0,
        ),
        levels=3,
        num_cameras=8,
        num_layers=2,
        type='BEVEncoder',
        x_range=(
            -12.8,
            57.6,
        ),
        y_range=(
            -25.6,
            25.6,
        )),
    bev_head=dict(
        dims=64,
        layers=(
            'drivable',
            'centerline',
            'crosswalk',
            'red_light',
            'vehicle',
            'person',
            'obstacle',
            'vehicle_1s',
            'vehicle_2s',
        ),
        loss_weight=2.0,
        positive_weight=(
            1.0,
            3.0,
            3.0,
            10.0,
            6.0,
            10.0,
            10.0,
            6.0,
            6.0,
        ),
        type='BEVSegmentationHead',
        upsample=2),
    data_preprocessor=dict(
        brightness=0.15, pad_divisor=32, type='PlanningDataPreprocessor'),
    frozen=[
        'backbone',
        'neck',
        'bev_encoder',
    ],
    head=dict(
        cell=1.6,
        dims=64,
        dropout=0.1,
        heads=4,
        num_layers=2,
        num_poses=40,
        past_dropout=0.5,
        points=1,
        ranking=dict(average=8.0, imitation=0.15, multipliers=0.5),
        soft=True,
        steps=8,
        sub_scores=True,
        temperature=2.0,
        type='TrajectoryScoringHead',
        vocabulary_size=256,
        x_range=(
            -12.8,
            57.6,
        ),
        y_range=(
            -25.6,
            25.6,
        )),
    image_size=(
        192,
        108,
    ),
    neck=dict(
        in_channels=[
            32,
            64,
            128,
        ],
        num_outs=3,
        out_channels=64,
        type='mmdet.FPN'),
    type='VADv2')
optim_wrapper = dict(
    accumulative_counts=1,
    clip_grad=dict(max_norm=5.0),
    dtype='float32',
    optimizer=dict(lr=0.0014, type='AdamW', weight_decay=0.02),
    type='PlannerOptimWrapper')
param_scheduler = [
    dict(begin=0, by_epoch=False, end=100, start_factor=0.05, type='LinearLR'),
    dict(
        by_epoch=True,
        convert_to_iter_based=True,
        eta_min=1e-06,
        type='CosineAnnealingLR'),
]
randomness = dict(seed=0)
recordings = 'data/alg_engine/recordings/vadv2_demo_train/observations'
resume = False
scores = dict(
    root='data/alg_engine/recordings/hydramdp_demo_scores/rewards',
    vocabulary='data/alg_engine/vocabulary/hydramdp_demo.npy')
train_cfg = dict(max_epochs=8, type='ResumableTrainLoop', val_interval=8)
train_dataloader = dict(
    batch_size=8,
    collate_fn=dict(type='algengine.planning_collate'),
    dataset=dict(
        cameras=(
            'CAM_F0',
            'CAM_L0',
            'CAM_L1',
            'CAM_L2',
            'CAM_R0',
            'CAM_R1',
            'CAM_R2',
            'CAM_B0',
        ),
        clip_length=4,
        clip_stride=4,
        image_size=(
            192,
            108,
        ),
        label_grid=dict(
            cell=0.8, x_range=(
                -12.8,
                57.6,
            ), y_range=(
                -25.6,
                25.6,
            )),
        num_poses=40,
        part='train',
        perturbation=dict(
            lateral=0.4,
            min_speed=2.0,
            probability=0.5,
            return_time=2.5,
            yaw=0.03),
        pose_dt=0.1,
        root='data/alg_engine/recordings/vadv2_demo_train/observations',
        sub_scores=dict(
            root='data/alg_engine/recordings/hydramdp_demo_scores/rewards',
            vocabulary='data/alg_engine/vocabulary/hydramdp_demo.npy'),
        type='RecordingDataset',
        val_share=0.08),
    drop_last=True,
    num_workers=1,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(shuffle=True, type='DefaultSampler'))
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=4,
    collate_fn=dict(type='algengine.planning_collate'),
    dataset=dict(
        cameras=(
            'CAM_F0',
            'CAM_L0',
            'CAM_L1',
            'CAM_L2',
            'CAM_R0',
            'CAM_R1',
            'CAM_R2',
            'CAM_B0',
        ),
        clip_length=4,
        clip_stride=4,
        image_size=(
            192,
            108,
        ),
        num_poses=40,
        part='val',
        pose_dt=0.1,
        root='data/alg_engine/recordings/vadv2_demo_train/observations',
        sub_scores=dict(
            root='data/alg_engine/recordings/hydramdp_demo_scores/rewards',
            vocabulary='data/alg_engine/vocabulary/hydramdp_demo.npy'),
        type='RecordingDataset',
        val_share=0.08),
    num_workers=1,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(shuffle=False, type='DefaultSampler'))
val_evaluator = dict(
    type='DisplacementMetric',
    vocabulary='data/alg_engine/vocabulary/hydramdp_demo.npy')
visualizer = dict(
    type='Visualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='EventFileBackend'),
    ])
vocabulary = 'data/alg_engine/vocabulary/hydramdp_demo.npy'
x_range = (
    -12.8,
    57.6,
)
y_range = (
    -25.6,
    25.6,
)
