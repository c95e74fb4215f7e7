# What all recipes share. Runs are made as docs/post_training.md says; every recipe states only what differs.
common = 'data/alg_engine/post_training/common_train_log'
rare = 'data/alg_engine/post_training/rare_train_log'
rollout = 'data/alg_engine/post_training/rare_train_rollout'

cache = dict(root='data/alg_engine/features', dtype='float16')
adapters = dict(rank=16, alpha=16.0)
schedule = dict(steps=2000, epochs=0, batch_size=48, lr=1e-3, warmup=50, seed=0, save_every=100, log_every=10, autocast='')
# What is not said here, such as kl_weight, is as in algengine.post_training.objective.ExpectationObjective.
objective = dict(type='expectation', imitation_weight=0.1)
data = dict(common=[common], rare=[], rollouts=[], failures=[], filter='v1', normal_ratio=1.0, seed=0)
