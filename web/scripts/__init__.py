"""Scripts and books of requests, and books that are uploaded once for several requests."""
