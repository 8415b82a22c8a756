"""The Logstash output: the lumberjack protocol, version 2, as Logstash's beats input speaks it.

A batch goes out as windows: a header with the number of events, then the events, usually
compressed. The server acknowledges by number, in parts if it likes, and says "0" now and then while
it is busy. What is acknowledged is delivered; the rest of a window that ends badly is sent again,
so an event may arrive twice when an acknowledgement is lost.
"""
