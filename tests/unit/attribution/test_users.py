import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connbeat.attribution.users import UserNames, parse_passwd

PASSWD = "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/home/web:/bin/sh\n"


@pytest.fixture
def passwd(tmp_path: Path) -> Path:
    path = tmp_path / "passwd"
    path.write_text(PASSWD)
    return path


def test_a_user_has_the_name_that_the_file_gives(passwd: Path) -> None:
    users = UserNames(passwd)
    assert [users.name(uid) for uid in (0, 1000, 3_999_999_999)] == ["root", "web", ""]


def test_nobody_but_the_file_is_asked(passwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pytest.fail("a directory server may hang"))
    assert UserNames(passwd).name(1000) == "web"


def test_a_file_that_stays_is_read_once(passwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = UserNames(passwd)
    assert users.name(0) == "root"
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))
    assert users.name(1000) == "web"


def test_a_user_that_comes_later_is_known(passwd: Path) -> None:
    users = UserNames(passwd)
    assert users.name(1001) == ""
    passwd.write_text(f"{PASSWD}db:x:1001:1001::/:/bin/sh\n")
    assert users.name(1001) == "db"


def test_a_file_that_is_gone_says_what_it_said(passwd: Path) -> None:
    users = UserNames(passwd)
    assert users.name(0) == "root"
    passwd.unlink()
    assert users.name(0) == "root"
    assert UserNames(passwd).name(0) == ""


def test_the_first_name_of_a_user_counts_and_lines_that_are_none_do_not() -> None:
    no_lines = b"# a comment\n\n+::::::\nodd:x:-1:0::/:\nhalf:x\nlong:x:%b:\n" % (b"9" * 5000)
    data = no_lines + b"root:x:0:0::/:\ntoor:x:0:0::/:\n\xff:x:7:"
    assert parse_passwd(data) == {0: "root", 7: "\N{REPLACEMENT CHARACTER}"}


@given(st.binary() | st.text("a:1\n", max_size=80).map(str.encode))
def test_whatever_the_file_holds_it_is_names_by_number(data: bytes) -> None:
    assert all(uid >= 0 and name for uid, name in parse_passwd(data).items())
