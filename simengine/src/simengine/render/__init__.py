"""Camera images: Gaussian scenes, how they are made from scenarios, and what rasterises them."""
