"""Bench: what connbeat sees, and what it costs, measured against a ground truth.

A case makes a load (`load.c` writes down every connection it makes), lets one observer after the
other watch the same load, and gives a measurement each: the share it reported, with the right
process, and its CPU and memory. Observers are the agent at each rung, and for comparison `ss` and
`tcplife`. Nothing here is imported by connbeat. README.md says how to read the tables.
"""
