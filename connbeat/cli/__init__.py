"""Command line: argv in, exit code out. One module a command, each importing only what it needs."""
