"""Clients of the HTTP service: keys, quotas and rates."""
