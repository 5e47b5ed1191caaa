"""The command line, started by `voxchord.py`."""
