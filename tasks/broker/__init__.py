"""Brokers, queues and the result backend."""
