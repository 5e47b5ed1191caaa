"""Checkpoints: files, architecture, weights and memory footprint."""
