"""Processors: documents in, documents out (drop, add, rename, redact). Comes with a later issue."""
