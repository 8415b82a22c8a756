"""Options of `output.file`."""

from connbeat.config.kinds import Boolean, FileName, Integer, Permissions, Text
from connbeat.config.option import Option

OPTIONS: tuple[Option, ...] = (
    Option("path", Text(), "The directory. Required.", required="the directory of the files"),
    Option("filename", FileName(), "The file's name; older ones get `.1`, `.2`, ..."),
    Option(
        "rotate_every_kb",
        Integer(1, 1_000_000_000),
        "Begin a new file when this many KiB are full.",
    ),
    Option("number_of_files", Integer(2, 1024), "Files kept, the oldest goes."),
    Option("permissions", Permissions(), "Mode of new files."),
    Option("rotate_on_startup", Boolean(), "Begin a new file at every start."),
)
