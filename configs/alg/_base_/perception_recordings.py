# Clips of four decisions from recordings of the built-in world; whole drives for validation. Logs are held out by name.
recordings = 'data/alg_engine/recordings/vadv2_demo_train/observations'
cameras = ('CAM_F0', 'CAM_L0', 'CAM_L1', 'CAM_L2', 'CAM_R0', 'CAM_R1', 'CAM_R2', 'CAM_B0')
area = dict(x_range=(-12.8, 57.6), y_range=(-25.6, 25.6))
grid = dict(cell=0.8, **area)

train_dataloader = dict(
    batch_size=8,
    num_workers=6,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='algengine.planning_collate'),
    dataset=dict(
        type='RecordingDataset',
        root=recordings,
        part='train',
        clip_length=4,
        clip_stride=2,
        image_size=(320, 180),
        cameras=cameras,
        val_share=0.08,
        objects=area,
        map_grid=grid,
        label_grid=grid,
        perturbation=dict(probability=0.5, lateral=0.4, yaw=0.05, min_speed=0.0)))

val_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='algengine.planning_collate'),
    dataset=dict(
        type='RecordingDataset',
        root=recordings,
        part='val',
        clip_length=12,
        clip_stride=12,
        image_size=(320, 180),
        cameras=cameras,
        val_share=0.08,
        objects=area,
        map_grid=grid))
val_evaluator = dict(type='PerceptionMetric')
