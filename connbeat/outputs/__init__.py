"""Outputs: destinations of batches.

Takes a `Batch`, gives an `Outcome` that names every event of it exactly once. Each output's own
module says what it needs. Outputs are strangers to each other and know no queue.
"""
