import os
from pathlib import Path
from typing import Any, cast

import pytest

from connbeat.agent.build import Observation
from connbeat.agent.sight import read_sight
from connbeat.capture.ladder import Rung, Standing
from connbeat.linux.procfs import ProcFs
from connbeat.model.targets import Namespaces

STANDING = Standing(Rung.PROCFS, "setns needs CAP_SYS_ADMIN")


class Place:
    """Where the agent finds itself: a `/proc`, and what capture has to say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.observer = self
        self.snapshots = self
        self.seen = Namespaces({}, (7, 8))
        self.procfs = ProcFs(folder)

    def standings(self) -> dict[int, Standing]:
        return {1: STANDING}

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def be_in(self, pid_namespace: int) -> None:
        link = self.folder / "self/ns/pid"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"pid:[{pid_namespace}]")

    def observation(self) -> Observation:
        return cast(Observation, cast(Any, self))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write(f"{os.getpid()}/status", "Name:\tx\nCapEff:\t00000000a80425fb\n")
    made.write(f"{os.getpid()}/attr/current", "docker-default (enforce)\n")
    made.be_in(4026531836)
    return made


def test_sight_is_what_the_agent_found_out_about_its_place(place: Place) -> None:
    sight = read_sight(place.observation())
    assert sight.capabilities == 0xA80425FB
    assert sight.has_host_pids
    assert sight.standings == (STANDING,)
    assert sight.unreadable_pids == 2
    assert sight.apparmor == "docker-default"


def test_in_a_container_of_its_own_the_pids_are_not_the_hosts(place: Place) -> None:
    place.be_in(4026532448)
    assert not read_sight(place.observation()).has_host_pids


@pytest.mark.parametrize("profile", ["unconfined\n", "unconfined\0", "\n"])
def test_a_profile_that_confines_nothing_is_none(place: Place, profile: str) -> None:
    place.write(f"{os.getpid()}/attr/current", profile)
    assert read_sight(place.observation()).apparmor in ("", "unconfined")


def test_where_nothing_can_be_read_there_is_no_sight_and_no_error(tmp_path: Path) -> None:
    sight = read_sight(Place(tmp_path).observation())
    assert (sight.capabilities, sight.has_host_pids, sight.apparmor) == (0, False, "")
