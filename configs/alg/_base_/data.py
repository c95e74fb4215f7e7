# Clips of four decisions (1.5 s of memory) from recordings of the built-in world; logs are held out by name.
recordings = 'data/alg_engine/recordings/vadv2_demo_train/observations'
cameras = ('CAM_F0', 'CAM_L0', 'CAM_L1', 'CAM_L2', 'CAM_R0', 'CAM_R1', 'CAM_R2', 'CAM_B0')
vocabulary = 'data/alg_engine/vocabulary/vadv2_demo.npy'

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
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
        clip_stride=4,
        image_size=(192, 108),
        cameras=cameras,
        num_poses=40,
        pose_dt=0.1,
        val_share=0.08,
        label_grid=dict(x_range=(-12.8, 57.6), y_range=(-25.6, 25.6), cell=0.8),
        perturbation=dict(probability=0.5, lateral=0.4, yaw=0.03, return_time=2.5, min_speed=2.0)))

val_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='algengine.planning_collate'),
    dataset=dict(
        type='RecordingDataset',
        root=recordings,
        part='val',
        clip_length=4,
        clip_stride=4,
        image_size=(192, 108),
        cameras=cameras,
        num_poses=40,
        pose_dt=0.1,
        val_share=0.08))
val_evaluator = dict(type='DisplacementMetric', vocabulary=vocabulary)
