"""connbeat reports the metadata of every TCP connection of a host and of its containers.

The package is a row of rooms that data passes once, left to right::

    discovery | capture -> attribution -> connections -> events -> processors -> queue -> outputs

Each room's own docstring says what it takes, gives and promises. `docs/architecture.md`
has the picture and says where to start reading.
"""

__version__ = "1.0.0.dev0"
