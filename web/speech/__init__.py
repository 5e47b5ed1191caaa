"""`POST /v1/audio/speech`: a text to a stream of audio that begins with its first finished segment."""
