"""Model: the values that cross the borders between rooms.

Frozen `msgspec.Struct`s, created in C. Addresses stay packed bytes (4 or 16) until a document is
made; an IPv4 address in an IPv6 socket (`::ffff:1.2.3.4`) is normalised to 4 bytes where it is
parsed. Times are integers in nanoseconds of CLOCK_MONOTONIC (`_ns`) until a document is made.
This room imports nothing of connbeat but `backoff`, `clock` and `errors`, and everything may
import it. `fields` is the one catalogue of what we publish.
"""
