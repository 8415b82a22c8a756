"""The console output: one JSON document a line on stdout, for people and for pipes."""
