# OpenScene frames at 2 Hz with NAVSIM splits and PDM caches; paths are those of the original, relative to WORLDENGINE_ROOT.
cameras = ('CAM_F0', 'CAM_B0', 'CAM_L0', 'CAM_L1', 'CAM_L2', 'CAM_R0', 'CAM_R1', 'CAM_R2')
infos = 'data/alg_engine/merged_infos_navformer/'
caches = 'data/alg_engine/pdms_cache/'
blobs = 'data/raw/openscene-v1.1/sensor_blobs/'
splits = 'configs/navsim_splits/'
vocabulary = 'data/alg_engine/test_8192_kmeans.npy'
clip = dict(queue_length=4, past_steps=3, planning_steps=8, image_size=(960, 540), cameras=cameras, num_poses=40, pose_dt=0.1)

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='algengine.planning_collate'),
    dataset=dict(
        type='OpenSceneDataset',
        ann_file=infos + 'nuplan_openscene_navtrain.pkl',
        nav_filter_path=splits + 'navtrain_split/navtrain.yaml',
        pdm_path=caches + 'pdm_8192_gt_cache_navtrain.pkl',
        img_root=blobs + 'trainval',
        test_mode=False,
        **clip))

val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='algengine.planning_collate'),
    dataset=dict(
        type='OpenSceneDataset',
        ann_file=infos + 'nuplan_openscene_navtest.pkl',
        nav_filter_path=splits + 'navtest_split/navtest.yaml',
        pdm_path=caches + 'pdm_8192_gt_cache_navtest.pkl',
        img_root=blobs + 'test',
        test_mode=True,
        **clip))
val_evaluator = dict(type='DisplacementMetric', vocabulary=vocabulary)

custom_hooks = [
    dict(type='VocabularyHook', path=vocabulary),
    dict(type='PlainCheckpointHook'),
]
