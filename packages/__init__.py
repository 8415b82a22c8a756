"""What `make package` is made of: see docs/install.md, and docs/adr/0018."""
