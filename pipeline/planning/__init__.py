"""Planning: requests, segments and their records."""
