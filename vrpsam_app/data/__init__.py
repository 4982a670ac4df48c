"""Training material: procedural scenes, folders of labelled pictures, simulated annotations."""
