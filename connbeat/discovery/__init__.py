"""Discovery: the network namespaces and containers that exist, with tombstones of those that were.

Takes Docker's event stream and inspect answers, cgroup paths and `/proc`; gives `Target`s and
`Container`s. A slow or absent engine never delays anybody: whoever asks the registry gets what
is known now. Nothing here knows sockets.
"""
