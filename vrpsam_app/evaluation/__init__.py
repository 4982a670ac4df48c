"""Measuring: how well a mask agrees with the truth."""
