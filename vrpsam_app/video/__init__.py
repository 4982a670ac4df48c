"""Films and stacks gone through in order, with a memory of what was seen before."""
