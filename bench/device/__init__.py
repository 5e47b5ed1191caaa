"""Checks of the VibeVoice engine on a GPU: `python -m bench.device`."""
