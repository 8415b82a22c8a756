"""Linux: one kernel interface a module, reading apart from parsing.

Takes namespaces, pids and paths; gives rows and values of `model`. The only room with system calls
of this kind (netlink, setns, `/proc`). A parser takes bytes and gives values or `Malformed`, never
another exception; a reader turns an OSError into one of `connbeat.errors`.
"""
