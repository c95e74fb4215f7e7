# HydraMDP at demo size: sees with the encoder of the shipped vadv2_demo, has its plans, and learns the PDM sub-scores of each. Only
# the head learns, which takes minutes on two cores; for a training of everything: "model.frozen=()" load_from=None.
_base_ = ['./vadv2_demo.py']

vocabulary = 'data/alg_engine/vocabulary/hydramdp_demo.npy'
scores = dict(root='data/alg_engine/recordings/hydramdp_demo_scores/rewards', vocabulary=vocabulary)

# The weights of the ranking are the published ones; `algengine fit-ranking` finds those of a trained planner.
model = dict(
    frozen=('backbone', 'neck', 'bev_encoder'),
    head=dict(sub_scores=True, ranking=dict(imitation=0.05, multipliers=0.5, average=8.0)))
load_from = 'algengine/src/algengine/assets/vadv2_demo/weights.pth'
train_dataloader = dict(dataset=dict(sub_scores=scores))
val_dataloader = dict(dataset=dict(sub_scores=scores))
val_evaluator = dict(vocabulary=vocabulary)
custom_hooks = [
    dict(type='VocabularyHook', path=vocabulary),
    dict(type='PlainCheckpointHook'),
]
