"""The page of the service: static files, which use the public API alone."""
