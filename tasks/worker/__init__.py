"""Worker processes: commands, timers, watchdogs, shutdown."""
