"""State of jobs and lists of their takes, for people and clients."""
