"""Scripts as people write them, to turns."""
