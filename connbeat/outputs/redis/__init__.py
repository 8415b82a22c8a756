"""The Redis output: documents at the end of lists (RPUSH), or published on channels (PUBLISH).

Redis says of each command whether it did it. When the connection is lost before it could say so,
the events are sent again and a list may hold them twice: consumers know an event by
`connection.id` and its kind. A channel keeps nothing: who does not listen misses it.
"""
