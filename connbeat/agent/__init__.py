"""Agent: everything wired together, and the threads.

`build` knows every class and starts nothing; `observe` is the capture thread, `deliver` the thread
of an output, `supervise` the order of start and stop.
"""
