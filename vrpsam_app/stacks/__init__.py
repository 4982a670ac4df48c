"""Planes along named axes: opened from any file or array, read when asked for."""
