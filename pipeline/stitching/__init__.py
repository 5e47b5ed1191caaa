"""Stitching of segments to finished files."""
