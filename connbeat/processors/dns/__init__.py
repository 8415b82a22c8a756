"""dns: the names of addresses. `processor` and `cache` are pure, `client` asks the servers."""
