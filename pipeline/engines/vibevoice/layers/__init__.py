"""Linear layers and RMS norms, each in the fastest kernel available for its shape and type."""
