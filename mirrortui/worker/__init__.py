"""The process that does the work: run, journal, commands, lock, launch."""
