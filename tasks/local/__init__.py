"""The local service: embedded broker and workers."""
