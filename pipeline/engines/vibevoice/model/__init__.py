"""The VibeVoice network."""
