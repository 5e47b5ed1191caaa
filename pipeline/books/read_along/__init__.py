"""EPUB 3 with media overlays: a book's own pages, marked sentence by sentence with the times of its audio."""
