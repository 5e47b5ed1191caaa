"""Coordination of a job's tasks."""
