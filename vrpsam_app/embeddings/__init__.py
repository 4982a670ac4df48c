"""Embeddings found again by content, in memory and on disk."""
