"""Training: losses, episodes as batches, the trainer and its checkpoints."""
