"""From a queue to an output: workers, retries, dead letters, filters, and what is told of them."""
