"""One module for each form in which people write scripts, to events."""
