# The full recipe: as rare_rollout, with rollouts through variants of the rare cases too.
_base_ = ['./_common.py']
variants = 'data/alg_engine/post_training/rare_train_variants_rollout'
data = dict(rare=[{{_base_.rare}}], rollouts=[{{_base_.rollout}}, variants], filter='v1')
