"""add_cloud_metadata: what machine of which cloud. `client` asks, everything else is pure."""
