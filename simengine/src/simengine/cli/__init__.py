"""The command line: one verb per command."""
