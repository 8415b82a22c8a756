"""What the exit code of every command says."""

OK = 0
FAILURE = 1
USAGE = 2
INTERRUPTED = 130

EXIT_CODES = {
    OK: "Done; of run: stopped by a signal, as it was asked to.",
    FAILURE: "It failed; of test output: a step did; of health: the agent is not well; of run: an "
    "output is gone for good, or a second signal did not wait for the end.",
    USAGE: "The command line or the configuration is wrong; stderr says where, a line a fault.",
    INTERRUPTED: "Interrupted at the terminal, of every command but run.",
}
