"""Post-training of planners that choose from a vocabulary: objectives, adapters, data, cached features, training."""
