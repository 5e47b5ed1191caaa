"""Places in the finished file: chapters, timed cues."""
