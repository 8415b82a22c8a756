"""Profile: which µs of a connection's end go where, as `make bench-profile`.

py-spy looks at the agent's stacks many times a second under the load of case `burst`. A sample
counts for the innermost line of connbeat in it: what a library or the kernel does for that line is
its cost.
"""
