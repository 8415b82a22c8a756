"""Overhead: what the observed pay for being watched, as `make bench-overhead`.

`loop`: a program that connects, accepts and closes; CPU µs for each connection. `web`: nginx under
wrk, which keep both processors busy; requests a second. All of it in runs that take turns, without
and with an observer, so that what else goes on here disturbs both alike.
"""
