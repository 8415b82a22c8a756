"""The real agent with processors: what they do to events is what arrives."""

from pathlib import Path

from tests.servers.dns_server import DnsServer
from tests.system.harness import QUICK, Agent
from tests.system.peers import Peers, linked

CHAIN = """
- drop_event.when.has_fields: [listener]
- if.equals.remote_port: {port}
  then:
    - add_fields.fields.side: client
    - dns: {{fields: {{remote_ip: fields.name}}, nameservers: ['{server}'], max_wait: 10s}}
    - drop_fields.fields: [local_process.user]
  else.add_tags.tags: [other]
"""


def test_events_arrive_as_the_processors_leave_them(tmp_path: Path, peers: Peers) -> None:
    server = peers.inside(peers.netns("processors"))
    client = peers.inside_of(server.pid)
    listener = server.listen("127.0.0.1")
    server_end, client_end = linked(server, client)
    with DnsServer({"127.0.0.1": "loop.example"}) as names:
        chain = CHAIN.format(port=client_end.remote_port, server=names.address)
        path = tmp_path / "chain.yml"
        path.write_text("processors:" + chain.replace("\n", "\n  "))
        path.chmod(0o600)
        with Agent(tmp_path, *QUICK, arguments=("-c", str(path))) as agent:
            (calling,) = agent.wait_for(client_end.is_in, "the client's end")
            (serving,) = agent.wait_for(server_end.is_in, "the server's end")
            client.close_sock(client_end)
            (closed,) = agent.wait_for(
                lambda it: client_end.is_in(it) and it["connection"]["event"] == "closed",
                "its close",
            )
            assert agent.stop() == 0
    for event in (calling, closed):
        assert event["fields"] == {"side": "client", "name": "loop.example"}, "the first one waited"
        assert "user" not in event["local_process"]
        assert "tags" not in event
    assert serving["tags"] == ["other"]
    assert "fields" not in serving
    assert serving["local_process"]["user"] == "root", "what was dropped is shared with nobody"
    assert not any("listener" in event for event in agent.events())
    assert not agent.found(listener.is_in)
    assert names.asked == ["127.0.0.1"], "asked for once, whoever wants it"
    assert "processor_events_filtered" in agent.log()
