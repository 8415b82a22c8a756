"""Which container a process is in, from the text of `/proc/<pid>/cgroup`.

Every engine names the container's cgroup after its id, 64 hexadecimal digits. What stands around
the id tells the runtime:

| a segment of the path                              | runtime    |
|----------------------------------------------------|------------|
| `docker/<id>`, `docker-<id>.scope`                 | docker     |
| `cri-containerd-<id>.scope`, `nerdctl-<id>.scope`  | containerd |
| `<slice>:cri-containerd:<id>`                      | containerd |
| `default/<id>`, `k8s.io/<id>`, `moby/<id>`         | containerd |
| `crio-<id>`, `crio-<id>.scope`                     | cri-o      |
| `libpod-<id>`, `libpod-<id>.scope`                 | podman     |
| `<id>` below anything else                         | ""         |

The last row is not rare: `/kubepods/.../pod<uid>/<id>` is written by containerd and was written by
Docker, and `docker run --cgroup-parent x` gives `/x/<id>`. The id is certain there, the runtime is
not. A monitor process (`crio-conmon-<id>.scope`) is outside of its container and not counted.

Of several ids in one path the deepest counts: in an engine inside a container, and in Kubernetes
in Docker, the path holds both, and the process lives in the inner one. Taking the outer would make
one container of all the inner ones, which have network namespaces of their own.

Pure. Called once for every process of the host, so what is not in a container must cost little.
"""

import re

from connbeat.model.processes import ContainerRef

_ID_DIGITS = 64
_ID = re.compile(rb"[0-9a-f]{64}")
# One segment: who made it, the id, the unit's suffix. Before a colon stands a slice that runc did
# not hand to systemd (`kubepods-besteffort-pod1.slice:cri-containerd:<id>`).
_SEGMENT = re.compile(
    rb"(?:(?:.*:)?(docker|cri-containerd|nerdctl|crio|libpod|libpod-payload)[-:])?"
    rb"([0-9a-f]{64})(?:\.scope)?"
)
_BY_PREFIX = {
    b"docker": "docker",
    b"cri-containerd": "containerd",
    b"nerdctl": "containerd",
    b"crio": "cri-o",
    b"libpod": "podman",
    b"libpod-payload": "podman",
}
_BY_PARENT = {
    b"docker": "docker",
    b"default": "containerd",
    b"k8s.io": "containerd",
    b"moby": "containerd",
    b"libpod_parent": "podman",
}
# What the kernel appends once the cgroup is gone but a process of it is not.
_DELETED = b" (deleted)"


def parse_cgroup(text: str | bytes) -> ContainerRef | None:
    """The container a process is in; None for a process of the host. Never raises.

    Takes the whole file, of cgroup v1 (one line a controller), v2 or both. Of several lines the
    one that is nested deepest counts: an engine inside a container need not use every controller.
    """
    if len(text) <= _ID_DIGITS:
        return None
    content = text if isinstance(text, bytes) else text.encode(errors="replace")
    if _ID.search(content) is None:
        return None
    # The controllers of v1 mostly agree: 12 lines, one path.
    paths = dict.fromkeys(line.split(b":", 2)[-1] for line in content.splitlines())
    deepest: list[ContainerRef] = []
    for path in paths:
        found = _containers_of(path.removesuffix(_DELETED))
        if len(found) > len(deepest):
            deepest = found
    return deepest[-1] if deepest else None


def _containers_of(path: bytes) -> list[ContainerRef]:
    """The containers on a path, outermost first."""
    found = []
    parent = b""
    for segment in path.split(b"/"):
        match = _SEGMENT.fullmatch(segment)
        if match is not None:
            prefix, container_id = match.groups()
            runtime = _BY_PREFIX[prefix] if prefix else _BY_PARENT.get(parent, "")
            found.append(ContainerRef(container_id.decode(), runtime))
        parent = segment
    return found
