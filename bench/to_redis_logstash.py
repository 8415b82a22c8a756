"""`python -m bench.to_redis_logstash OUTPUT ADDRESS EVENTS`: a full queue into Redis or Logstash.

Prints seconds, CPU seconds and the largest resident size of connbeat's side as JSON.
"""

import json
import sys

from bench.outputs import context, drain
from connbeat.outputs.logstash import client as logstash
from connbeat.outputs.logstash.config import LogstashConfig
from connbeat.outputs.redis import client as redis
from connbeat.outputs.redis.config import RedisConfig


def main(output: str, address: str, events: str) -> None:
    if output == "redis":
        config = RedisConfig(hosts=(address,))
        figures = drain(redis.build(config, context()), int(events), config.bulk_max_size)
    else:
        to_logstash = LogstashConfig(hosts=(address,))
        made = logstash.build(to_logstash, context())
        figures = drain(made, int(events), to_logstash.bulk_max_size)
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
