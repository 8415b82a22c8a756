"""Limits: how much of what a process says of itself is read.

The exec reader's small process imports it too, so no library here.
"""

#: Of `cmdline` and `environ` each. A process says where its own begin and end (prctl(2),
#: PR_SET_MM_MAP), so without a limit anybody may have hundreds of megabytes read.
STRINGS_BYTES = 64 << 10
