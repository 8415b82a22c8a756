"""Telemetry: the agent's own log and numbers.

`metrics` is the one typed catalogue of everything we count, `log` sets logging up and keeps
repeated lines rare. Nothing here knows what it is told about.
"""
