"""Stacks segmented, lazily or to disk, on one process or several, resumable."""
