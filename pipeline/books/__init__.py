"""Books: EPUB, DOCX, HTML, Markdown and plain text, read into one document and turned into a script."""
