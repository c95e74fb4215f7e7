# Co-training on navtrain and one round of simulated drives of PDM-Closed: these teach by sub-scores, not by imitation.
_base_ = ['../navformer/e2e_hydramdp.py']

simulated = dict(
    data_root='data/alg_engine/openscene-synthetic',
    folder_name=['synthetic_reaction_pdm_v1.0-0'],
    finetune_yaml=['configs/navsim_splits/simscale_split/synthetic_reaction_pdm_v1.0-0.yaml'],
    decision_frames=(3,))
model = dict(head=dict(soft=False))
train_dataloader = dict(dataset=dict(simulated=dict(cotrain=True, **simulated)))
default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))
