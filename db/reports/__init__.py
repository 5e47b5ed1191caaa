"""Reports of jobs and attempts."""
