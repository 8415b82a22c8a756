"""Keystore: secrets in an encrypted file, for `${KEY}` in a configuration.

`sealing` makes bytes of secrets and secrets of bytes, `store` knows the file. Nothing here ever
shows a value.
"""
