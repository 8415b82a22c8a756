"""The section `output.file`."""

from connbeat.outputs.configuration import OutputConfig


class FileConfig(OutputConfig, frozen=True, kw_only=True):
    """One document a line in files that are rotated by size."""

    path: str = ""
    filename: str = "connbeat"
    rotate_every_kb: int = 10_240
    number_of_files: int = 7
    permissions: int = 0o600
    rotate_on_startup: bool = True
