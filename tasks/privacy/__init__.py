"""Redaction of requests, results and errors."""
