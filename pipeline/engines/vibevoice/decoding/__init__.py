"""Continuous batching: requests, scheduler, decoder, prefill, caches."""
