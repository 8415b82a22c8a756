"""add_host_metadata: what host this is. `processor` is pure, `client` reads it."""
