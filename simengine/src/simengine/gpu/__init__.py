"""The PDM score on a graphics card, in torch; nothing imports this package at module level."""
