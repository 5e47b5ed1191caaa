"""Linear layers and norms of the network."""
