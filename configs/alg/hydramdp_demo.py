# HydraMDP at demo size: vadv2_demo that also learns the PDM sub-scores of every plan, from the same recordings and plans.
_base_ = ['./vadv2_demo.py']

vocabulary = 'data/alg_engine/vocabulary/hydramdp_demo.npy'
scores = dict(root='data/alg_engine/recordings/hydramdp_demo_scores/rewards', vocabulary=vocabulary)

# The weights of the ranking are the published ones; `algengine fit-ranking` finds those of a trained planner.
model = dict(head=dict(sub_scores=True, ranking=dict(imitation=0.05, multipliers=0.5, average=8.0)))
train_dataloader = dict(dataset=dict(sub_scores=scores))
val_dataloader = dict(dataset=dict(sub_scores=scores))
val_evaluator = dict(vocabulary=vocabulary)
custom_hooks = [
    dict(type='VocabularyHook', path=vocabulary),
    dict(type='PlainCheckpointHook'),
]
