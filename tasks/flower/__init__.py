"""Flower: launch, templates, state and routes."""
