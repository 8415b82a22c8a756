"""How much of the machine the agent may take: its priority, and the processors it runs on."""

import os


def apply_priority(nice: int | None, max_procs: int) -> dict[str, OSError]:
    """For the calling thread and all that it starts from here on; None and 0 change nothing.

    What is not permitted stays as it was and is in the result, by the setting's name.
    """
    refused = {}
    if nice is not None:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, nice)
        except OSError as error:
            refused["nice"] = error
    if max_procs:
        try:
            os.sched_setaffinity(0, chosen(os.sched_getaffinity(0), max_procs))
        except OSError as error:
            refused["max_procs"] = error
    return refused


def chosen(processors: set[int], most: int) -> set[int]:
    """Those with the highest numbers: the first has the interrupts of most machines."""
    return set(sorted(processors)[-most:])
