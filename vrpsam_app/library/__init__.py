"""References kept by name in one file."""
