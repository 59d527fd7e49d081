"""One screen, one file, one .tcss."""
