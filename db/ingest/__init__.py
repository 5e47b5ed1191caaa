"""Ingest of rows: spool, conversion and writer."""
