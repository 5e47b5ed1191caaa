"""Fleets, engines, checkpoints and controls that benches and tests share."""
