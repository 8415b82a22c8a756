"""Every flag there is, once: parser, help, completion and manual page come from here."""

from typing import Literal, NamedTuple

#: What a shell offers as a value: names of files, of directories, settings, parts of the agent.
Offer = Literal["", "file", "directory", "setting", "selector"]


class Flag(NamedTuple):
    """A switch, unless it has `metavar` or `choices`. `text` begins small and has no full stop."""

    names: tuple[str, ...]
    text: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""
    is_repeatable: bool = False
    offer: Offer = ""

    @property
    def has_value(self) -> bool:
        return bool(self.metavar or self.choices)

    @property
    def value(self) -> str:
        """How the help calls it."""
        return self.metavar or f"{{{','.join(self.choices)}}}"


PATHS = ("home", "config", "data", "logs")
ENVIRONMENTS = ("default", "systemd", "container")

#: Of every command.
FLAGS = (
    Flag(
        ("-c",),
        "configuration file; repeatable, later ones win",
        "FILE",
        is_repeatable=True,
        offer="file",
    ),
    Flag(
        ("-E",),
        "one setting; repeatable, wins over files",
        "KEY=VALUE",
        is_repeatable=True,
        offer="setting",
    ),
    Flag(("-e",), "log to stderr and nowhere else"),
    Flag(("-v",), "log at level info at least"),
    Flag(
        ("-d",),
        "debug log of these parts, * for all",
        "SELECTORS",
        is_repeatable=True,
        offer="selector",
    ),
    Flag(("-N",), "dry run: count events, send none"),
    Flag(
        ("--environment",),
        "what runs the agent, as Beats ask; the log is on stderr in each if nothing else is set",
        choices=ENVIRONMENTS,
        default="default",
    ),
    Flag(
        ("--unknown-keys",),
        "whether a setting nobody knows stops the start",
        choices=("error", "warn"),
        default="error",
    ),
    *(
        Flag((f"--path.{name}",), f"the setting path.{name}", "DIR", offer="directory")
        for name in PATHS
    ),
    Flag(
        ("--strict.perms",),
        "refuse configuration files that others may write",
        choices=("true", "false"),
        default="true",
    ),
    Flag(("-h", "--help"), "print this"),
    Flag(("--version",), "the command version"),
    Flag(("--configtest",), "the command test config"),
)
#: Of the commands that name them.
MORE_FLAGS = (
    Flag(("--json",), "print JSON, for machines"),
    Flag(("--force",), "replace what is there"),
    Flag(("--stdin",), "read the value from stdin"),
    Flag(("--es.version",), "of Elasticsearch, such as 7.17.0", "VERSION"),
    Flag(("--ready",), "ask whether it does its work, too"),
)
#: What the Go program or newer Beats have and what means nothing here: accepted with a warning.
WITHOUT_MEANING = (
    Flag(("--setup",), "no dashboards to load"),
    Flag(("--dashboards",), "no dashboards to load"),
    Flag(("--httpprof",), "no profiles of Go", "ADDRESS"),
    Flag(("--cpuprofile",), "no profiles of Go", "FILE"),
    Flag(("--memprofile",), "no profiles of Go", "FILE"),
    Flag(("--plugin",), "no plugins of Go", "FILE"),
)


def flags_of(names: tuple[str, ...]) -> tuple[Flag, ...]:
    """Those of a command that has `names` beside what every command has; the first come first."""
    return tuple(flag for flag in MORE_FLAGS if flag.names[0] in names) + FLAGS
