"""Attribution: whose socket is it?

Takes inodes, pids and cgroups; gives the process and the container of a socket, or the reason
there is none. The walk over descriptors is the agent's most expensive act, so it has a budget and
a memory. Nothing here knows events.
"""
