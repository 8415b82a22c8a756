from connbeat.model.sockets import TcpState


def test_a_state_is_named_in_documents_as_the_field_names_it() -> None:
    assert TcpState(1).label == "established"
    assert TcpState(6).label == "time_wait"
    assert TcpState(10).label == "listen"


def test_every_state_of_the_kernel_has_a_name() -> None:
    assert [state.value for state in TcpState] == list(range(1, 14))
