"""What documents say of the processes and containers at the ends of connections."""

from collections.abc import Callable, Mapping

from connbeat.events.connection import Document
from connbeat.events.local_ips import LocalIps
from connbeat.events.policy import DocumentPolicy
from connbeat.events.redact import redact_arguments, redact_environ
from connbeat.model.containers import Container, DockerHost
from connbeat.model.processes import Owner, Process

#: What the kubelet writes into the labels of every container.
_KUBERNETES = "io.kubernetes"
_POD = f"{_KUBERNETES}.pod.name"


class PartyParts:
    """One mapping for all documents of a poll that tell of the same. One thread uses it."""

    def __init__(self, local_ips: LocalIps, format_time: Callable[[int], str]) -> None:
        self._local_ips = local_ips
        self._format_time = format_time
        self._processes: dict[int, tuple[Process, Document]] = {}
        self._containers: dict[str, tuple[Container, list[str], Document]] = {}

    def set_policy(self, policy: DocumentPolicy) -> None:
        self._policy = policy

    def set_docker_host(self, docker_host: DockerHost) -> None:
        """From any thread."""
        self._docker_host = {"hostname": docker_host.hostname, "ips": list(docker_host.ips)}

    def begin(self) -> None:
        """A new poll."""
        self._processes.clear()
        self._containers.clear()

    def process(self, owner: Owner, inode: int) -> Document:
        """`local_process`."""
        if not self._policy.expose_process_info:
            return {"binary": f"Process with inode {inode}", "cmdline": "", "environ": [""]}
        if not isinstance(owner, Process):
            return {
                "binary": f"Unknown process with inode {inode}",
                "cmdline": "",
                "environ": [""],
                "unknown_reason": owner,
            }
        known = self._processes.get(id(owner))
        if known is None:
            known = self._processes[id(owner)] = owner, self._known_process(owner)
        return known[1]

    def _known_process(self, process: Process) -> Document:
        policy = self._policy
        arguments = redact_arguments(process.arguments) if policy.redact else process.arguments
        environ = redact_environ(process.environ) if policy.redact else process.environ
        document: Document = {
            "binary": process.binary,
            "cmdline": " ".join(arguments) if policy.expose_cmdline else "",
            "environ": list(environ) if policy.expose_environ else [""],
            "pid": process.pid,
            "uid": process.uid,
            "started_at": self._format_time(process.started_at_ns),
        }
        if process.executable:
            document["executable"] = process.executable
        if process.user:
            document["user"] = process.user
        if policy.with_process_details:
            document["started_ticks"] = process.started_ticks
            document["arguments"] = list(arguments) if policy.expose_cmdline else []
        return document

    def container(self, container: Container) -> Document:
        """`container`: another mapping as soon as another address of it is seen."""
        seen_ips = self._local_ips.of(container.id)
        known = self._containers.get(container.id)
        if known is not None and known[1] is seen_ips:
            described = known[0]
            if described is container or described == container:
                return known[2]
        document = self._new_container(container, seen_ips)
        self._containers[container.id] = container, seen_ips, document
        return document

    def _new_container(self, container: Container, seen_ips: list[str]) -> Document:
        document = identity(container)
        if container.runtime:
            document["runtime"] = container.runtime
        document["local_ips"] = list(dict.fromkeys((*container.local_ips, *seen_ips)))
        if not container.name:  # only the id is known: no engine was asked
            return document
        document["env"] = self._container_environ(container)
        document["labels"] = dict(container.labels)
        document["ports"] = {
            port: [{"HostIp": b.host_ip, "HostPort": b.host_port} for b in bindings]
            for port, bindings in container.ports.items()
        }
        document["docker_host"] = self._docker_host
        return document

    def _container_environ(self, container: Container) -> list[str]:
        wanted = self._policy.docker_environment
        chosen = tuple(e for e in container.environ if e.partition("=")[0] in wanted)
        return list(redact_environ(chosen) if self._policy.redact else chosen)


def identity(container: Container) -> Document:
    """`remote_container`, and how `container` begins."""
    found: Document = {"id": container.id}
    if container.name:
        found["name"] = container.name
    if container.image:
        found["image"] = container.image
    return found


def pod_of(labels: Mapping[str, str]) -> Document:
    """`kubernetes`: what a kubelet calls it, by the names Beats have for that; {} without one."""
    if _POD not in labels:
        return {}
    pod = {"name": labels[_POD], "uid": labels.get(f"{_KUBERNETES}.pod.uid")}
    names: Document = {"pod": {key: value for key, value in pod.items() if value}}
    namespace = labels.get(f"{_KUBERNETES}.pod.namespace")
    container = labels.get(f"{_KUBERNETES}.container.name")
    if namespace:
        names["namespace"] = namespace
    if container:
        names["container"] = {"name": container}
    return names
