"""Continuous batching: requests, scheduler, decoders, batched prefill, prefix cache, CUDA graphs."""
