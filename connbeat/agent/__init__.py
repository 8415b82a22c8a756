"""Agent: everything wired together, and the threads.

`build` knows every class and starts nothing; `observe` is the capture thread, `delivery.deliver`
that of an output, `monitoring` what others see of it, `supervise` the order of start and stop.
"""
