import pytest

from bench.overhead.snmp import opened_ends

SNMP = """\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails
Tcp: 1 200 120000 -1 57001 56999 3
"""


def test_both_ends_of_a_connection_count() -> None:
    assert opened_ends(SNMP) == 114_000


@pytest.mark.parametrize("text", ["", "Ip: Forwarding\nIp: 1\n", SNMP.rpartition("Tcp")[0]])
def test_a_table_without_the_counters_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no TCP counters"):
        opened_ends(text)
