"""Configuration: from files, environment and `-E` to typed settings, or to all faults at once.

Takes paths and mappings, gives `Settings`. A fault names file, line, key, what was found and what
would be right, and never a secret. After the start nothing here is needed until a SIGHUP.
"""
