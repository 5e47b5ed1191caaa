"""Words to tokens and embeddings."""
