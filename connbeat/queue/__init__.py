"""Queue: where events wait for an output, one place an output.

Takes events without ever blocking the caller; gives batches under a lease. An event leaves by
acknowledgement or by a drop that is counted with its reason. Nothing here knows outputs.
"""
