"""The VibeVoice network: language model, diffusion head, streaming convolutional stacks, KV caches."""
