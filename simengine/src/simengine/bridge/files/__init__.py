"""The bridge as files in a shared folder: the protocol of the published WorldEngine, either half of it."""
