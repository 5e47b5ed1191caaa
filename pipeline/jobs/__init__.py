"""Jobs in the artifact store."""
