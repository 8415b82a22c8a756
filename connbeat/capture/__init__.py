"""Capture: from a network namespace to the TCP sockets in it.

Takes a `Target`, gives a `SocketSnapshot`: what the kernel said in one dump. The table may change
under the dump; `is_complete` then is false and the next poll makes up for it. Knows how far up
the ladder each namespace is and why not higher. Nothing here knows processes or containers.
"""
