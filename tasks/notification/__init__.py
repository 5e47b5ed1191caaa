"""Notifications of what became of jobs."""
