"""The command line: what `python voxchord.py` can do."""
