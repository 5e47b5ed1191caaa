"""Commands that examine a script or a book before it is rendered."""
