"""Resource metering of every attempt."""
