"""Notifications about jobs, and the thread that sends what an outbox holds."""
