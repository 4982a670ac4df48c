"""Torch modules only: tensors in, tensors out; no files, no numpy images, no user's arrays."""
