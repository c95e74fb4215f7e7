# The published objective, optimiser and adapters on the data of rare_rollout: heads for sub-scores are new.
_base_ = ['./_common.py']
data = dict(rare=[{{_base_.rare}}], rollouts=[{{_base_.rollout}}], filter='v1', first_only=True)
model = dict(head=dict(sub_scores=True))
objective = dict(_delete_=True, type='published', pg_weight=0.01, entropy_weight=1.0)
adapters = dict(rank=16, alpha=1.0, trainable=['head.sub_scores.*'])
schedule = dict(steps=0, epochs=8, batch_size=16, lr=2e-4, warmup=500, by_epoch=True)
