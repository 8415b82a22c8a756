"""snmp: how many ends of connections a namespace had, by the kernel's own counters. Pure."""


def opened_ends(snmp: str) -> int:
    """ActiveOpens and PassiveOpens of `/proc/<pid>/net/snmp`. Raises ValueError if not there."""
    rows = [line.split()[1:] for line in snmp.splitlines() if line.startswith("Tcp:")]
    if len(rows) != 2:
        raise ValueError(f"no TCP counters in {snmp[:80]!r}")
    counters = dict(zip(rows[0], map(int, rows[1]), strict=True))
    return counters["ActiveOpens"] + counters["PassiveOpens"]
