"""Namespaces without entering one; what enters them is tests/system/test_netns.py."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from connbeat.errors import CaptureError, NetnsGone
from connbeat.linux import netns


@pytest.fixture
def full_descriptor_table(tmp_path: Path) -> Iterator[None]:
    """Not one more file can be opened, from when the test's own folder is made."""
    assert tmp_path.is_dir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_path_that_is_not_there_leads_to_a_namespace_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(NetnsGone):
        netns._open(tmp_path / "4711" / "ns" / "net")


@pytest.mark.usefixtures("full_descriptor_table")
def test_want_of_descriptors_does_not_mean_that_a_namespace_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CaptureError) as raised:
        netns._open(tmp_path)
    assert not isinstance(raised.value, NetnsGone)


@pytest.mark.usefixtures("full_descriptor_table")
def test_want_of_descriptors_before_leaving_home_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError), netns.entered(tmp_path, 0):
        pass
