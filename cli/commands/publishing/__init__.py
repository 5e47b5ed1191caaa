"""Commands that hand finished books over to players and podcast clients."""
