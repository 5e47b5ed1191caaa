"""Celery tasks: unpack, call the pipeline, pack. The app is `tasks.app:app`."""
