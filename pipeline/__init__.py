"""Planning and joining speech. Knows neither Celery nor SQL: it runs in a notebook."""
