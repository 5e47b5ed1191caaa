"""Delivery of finished files out of the store."""
