# Fine-tuning of the head of a trained VADv2 on one round of simulated drives and as many logged frames.
_base_ = ['./e2e_vadv2_simscale_co_train_pdm_1round_8epoch.py']

model = dict(frozen=('backbone', 'neck', 'bev_encoder'))
train_dataloader = dict(dataset=dict(simulated=dict(cotrain=False)))
load_from = 'data/alg_engine/ckpts/e2e_vadv2_ep8.pth'
