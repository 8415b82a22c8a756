"""What is wrong or doubtful in a configuration, collected, so that all of it is told at once."""

import msgspec

from connbeat.config.masking import shown_key
from connbeat.config.tree import Place
from connbeat.errors import ConfigError


class _Finding(msgspec.Struct, frozen=True):
    place: Place
    key: str
    text: str

    def __str__(self) -> str:
        line = ": ".join(filter(None, (str(self.place), shown_key(self.key), self.text)))
        # A key may hold anything, line feeds and terminal codes too.
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class Findings:
    """Faults, which stop the start, and warnings, which do not. One owner, one thread."""

    def __init__(self) -> None:
        self._faults: list[_Finding] = []
        self._warnings: list[_Finding] = []

    def fault(self, place: Place, key: str, text: str) -> None:
        """`text` says what was found and what would be right."""
        self._faults.append(_Finding(place, key, text))

    def warn(self, place: Place, key: str, text: str) -> None:
        self._warnings.append(_Finding(place, key, text))

    @property
    def has_faults(self) -> bool:
        return bool(self._faults)

    @property
    def warnings(self) -> tuple[str, ...]:
        return _in_order(self._warnings)

    def raise_faults(self) -> None:
        """Raises ConfigError with every fault, if there is one."""
        if self._faults:
            raise ConfigError(_in_order(self._faults))


def _in_order(findings: list[_Finding]) -> tuple[str, ...]:
    """As a reader meets them: file by file, line by line, then the flags; nothing twice."""
    sources = list(dict.fromkeys(finding.place.source for finding in findings))

    def position(finding: _Finding) -> tuple[bool, int, int]:
        place = finding.place
        return place.source.startswith("-"), sources.index(place.source), place.line

    return tuple(dict.fromkeys(map(str, sorted(findings, key=position))))
