"""`python -m bench.elasticsearch_sender WHO URL EVENTS`: a full queue into a node.

WHO is `connbeat` (the agent's queue, worker and output), `connbeat-plain` (the same without gzip),
or `streaming_bulk` (the client's own helper, with the same documents, ids and operation). Prints
seconds, CPU seconds and the largest resident size as JSON; what is made before the first event is
sent does not count.
"""

import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import elasticsearch
import elasticsearch.helpers

from bench.outputs import Usage, context, document, drain, event
from connbeat.outputs.elasticsearch.config import ElasticsearchConfig
from connbeat.outputs.elasticsearch.output import build


def send_with_connbeat(url: str, count: int, compression_level: int) -> dict[str, float]:
    config = ElasticsearchConfig(hosts=(url,), compression_level=compression_level)
    return drain(build(config, context()), count, config.bulk_max_size)


def send_with_helper(url: str, count: int) -> dict[str, float]:
    documents = [(event(number).id, document(number)) for number in range(count)]

    def actions() -> Iterator[dict[str, Any]]:
        for id_, source in documents:
            yield {"_op_type": "create", "_index": "connbeat-helper", "_id": id_, "_source": source}

    with elasticsearch.Elasticsearch(url) as client:
        usage = Usage()
        done = sum(1 for ok, _ in elasticsearch.helpers.streaming_bulk(client, actions()) if ok)
        figures = usage.figures()
    if done != count:
        raise SystemExit(f"{done} of {count} delivered")
    return figures


def main(who: str, url: str, events: str) -> None:
    count = int(events)
    if who == "streaming_bulk":
        figures = send_with_helper(url, count)
    else:
        figures = send_with_connbeat(url, count, 0 if who.endswith("plain") else 1)
    assert threading.active_count() == 1
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
