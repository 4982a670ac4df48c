"""Planes of any size, whole or in overlapping tiles."""
