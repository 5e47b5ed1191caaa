"""Routes beside speech: health, models, voices."""
