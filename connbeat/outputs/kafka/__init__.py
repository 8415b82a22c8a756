"""The Kafka output: one message a document, through librdkafka (extra `kafka`).

A batch is over when the cluster has answered for each of its messages, and not before. What is on
its way when a connection breaks is neither delivered nor lost: librdkafka alone can settle that,
by the sequence numbers of its idempotent producer, and only as long as the messages stay with it.
Given back after a while they would be sent a second time under new numbers, and perhaps stand
twice; given back and then dropped by a full queue they would be counted lost and arrive all the
same. So `send` keeps them for as long as an outage lasts, and asks before it begins a batch
whether there is a cluster at all: without one nothing is handed over, and the batch goes back.

Doubles remain possible where the sequence numbers end: when the agent is killed or stopped with
messages on their way and a durable queue sends them again at the next start, when librdkafka gives
its producer up (a fatal error; logged with how many), and with `required_acks` 0 or 1.
"""
