"""Internals of Celery and kombu: used in these modules only, each with a list that is checked at start."""
