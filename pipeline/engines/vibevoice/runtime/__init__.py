"""Memory, threads, errors and the life of a loaded model."""
