"""Capture: from a network namespace to the TCP sockets in it, and to what happens to them.

Takes a `Target`, gives a `SocketSnapshot`: what the kernel said in one dump. The table may change
under the dump; `is_complete` then is false and the next poll makes up for it. Between two dumps it
gives a `Tick`: the closes and transitions that the kernel told by itself, and whether some were
lost, which the next dump heals. Asked for single connections, it says who is behind a translated
address. Knows how far up the ladder each namespace is and why not higher. Nothing here knows
processes' names or containers.
"""
