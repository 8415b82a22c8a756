"""The file output: one JSON document a line, in files that are rotated by size."""
