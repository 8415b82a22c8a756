import pytest

from connbeat.discovery.engine_follower import EngineFollower
from connbeat.discovery.registry import ContainerRegistry
from connbeat.errors import DiscoveryError
from connbeat.telemetry.metrics import Metric, Metrics
from tests.unit.discovery.fakes import FakeClock, FakeEngine, Step, event, wiring


class Scene:
    """A follower of a fake engine, and what came of it."""

    def __init__(self) -> None:
        self.registry = ContainerRegistry()
        self.metrics = Metrics()
        self.engine = FakeEngine()
        self.follower = EngineFollower(self.registry, self.metrics, FakeClock())

    def take_list(self) -> None:
        assert self.follower.take_list(self.engine, lambda: False)

    def send(self, *steps: Step) -> None:
        self.engine.stream._steps[:] = steps
        self.follower.follow(self.engine, self.engine.stream)

    def running(self) -> list[str]:
        return [container.name for container in self.registry.running()]

    def name(self, container_id: str) -> str | None:
        found = self.registry.by_id(container_id)
        return found.name if found else None


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_list_costs_one_call_and_one_inspect_a_container(scene: Scene) -> None:
    scene.engine.start("a")
    scene.engine.start("b")
    scene.take_list()
    assert scene.engine.calls == ["list", "inspect a", "inspect b"]
    assert scene.running() == ["name-a", "name-b"]
    assert scene.metrics.get(Metric.CONTAINERS) == 2
    assert scene.metrics.get(Metric.DOCKER_REQUESTS, call="list") == 1
    assert scene.metrics.get(Metric.DOCKER_REQUESTS, call="inspect") == 2


def test_a_container_the_engine_cannot_describe_keeps_what_the_list_says(scene: Scene) -> None:
    scene.engine.start("a")
    scene.engine.known["b"] = None
    scene.engine.known["c"] = {"Id": 5}
    scene.take_list()
    assert scene.running() == ["name-a", "b", "c"]


def test_an_odd_item_of_the_list_costs_nobody_else(scene: Scene) -> None:
    scene.engine.start("")
    scene.engine.start("a")
    scene.take_list()
    assert scene.running() == ["name-a"]


def test_a_list_that_breaks_off_ends_nobody(scene: Scene) -> None:
    scene.engine.start("a")
    scene.take_list()
    scene.engine.is_silent = True
    with pytest.raises(DiscoveryError):
        scene.take_list()
    assert scene.running() == ["name-a"]


def test_a_list_is_left_when_the_agent_stops(scene: Scene) -> None:
    scene.engine.start("a")
    assert not scene.follower.take_list(scene.engine, lambda: True)
    assert scene.engine.calls == ["list"]


def test_what_ended_while_nobody_listened_is_a_tombstone(scene: Scene) -> None:
    scene.engine.start("a")
    scene.take_list()
    scene.engine.remove("a")
    scene.take_list()
    assert (scene.running(), scene.name("a")) == ([], "name-a")


def test_a_start_costs_one_inspect_with_its_network_events_and_all(scene: Scene) -> None:
    scene.engine.start("a")
    scene.send(event("create", "a", name="x"), wiring("connect", "a"), event("start", "a"))
    assert scene.engine.calls == ["inspect a"]
    assert scene.running() == ["name-a"]


def test_a_name_is_known_from_the_creation_on(scene: Scene) -> None:
    scene.send(event("create", "a", name="web", image="nginx"))
    assert scene.name("a") == "web"
    assert scene.running() == []
    assert scene.engine.calls == []


def test_a_container_that_is_gone_before_its_inspect_keeps_its_name(scene: Scene) -> None:
    scene.send(event("start", "a", name="short"), event("die", "a"), event("destroy", "a"))
    assert (scene.running(), scene.name("a")) == ([], "short")


def test_an_answer_of_no_use_leaves_what_the_event_told(scene: Scene) -> None:
    scene.engine.known["a"] = {"Id": None}
    scene.send(event("start", "a", name="web"))
    assert scene.name("a") == "web"


@pytest.mark.parametrize("action", ["die", "destroy"])
def test_an_end_costs_no_call(scene: Scene, action: str) -> None:
    scene.engine.start("a")
    scene.take_list()
    scene.engine.calls.clear()
    scene.send(event(action, "a", exitCode="137"), wiring("disconnect", "a"))
    assert (scene.running(), scene.name("a")) == ([], "name-a")
    assert scene.engine.calls == []
    assert scene.metrics.get(Metric.CONTAINERS) == 0


def test_a_renaming_costs_no_call(scene: Scene) -> None:
    scene.engine.start("a")
    scene.take_list()
    scene.engine.calls.clear()
    scene.send(event("rename", "a", name="shop", oldName="/name-a"), event("rename", "a"))
    assert (scene.running(), scene.engine.calls) == (["shop"], [])


def test_a_new_network_of_a_running_container_is_looked_at(scene: Scene) -> None:
    scene.engine.start("a")
    scene.take_list()
    scene.engine.start("a", NetworkSettings={"Networks": {"back": {"IPAddress": "172.18.0.2"}}})
    scene.send(wiring("connect", "a"))
    assert scene.registry.running()[0].local_ips == ("172.18.0.2",)


def test_a_network_event_of_a_container_that_vanished_changes_nothing(scene: Scene) -> None:
    scene.engine.start("a")
    scene.take_list()
    scene.engine.remove("a")
    scene.send(wiring("disconnect", "a"), wiring("connect", "unknown"))
    assert scene.running() == ["name-a"]


def test_what_is_no_event_is_counted_and_passed_over(scene: Scene) -> None:
    scene.send({"message": "?"}, event("health_status: healthy", "a"), event("start", "a"))
    assert scene.metrics.get(Metric.DOCKER_EVENTS) == 3


def test_an_engine_that_falls_silent_is_the_callers_business(scene: Scene) -> None:
    scene.engine.is_silent = True
    with pytest.raises(DiscoveryError):
        scene.send(event("start", "a"))


def test_tombstones_given_up_early_are_counted() -> None:
    scene = Scene()
    scene.registry = ContainerRegistry(max_ended=1)
    scene.follower = EngineFollower(scene.registry, scene.metrics, FakeClock())
    scene.send(*[event("create", name, name=name) for name in "abc"])
    assert scene.metrics.get(Metric.TOMBSTONES_DROPPED) == 2
