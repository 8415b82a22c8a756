"""Connections: one life for every connection and every listener.

Takes the snapshots of a poll and asks for owners; gives reports: opened, ongoing, closed, with
the direction, and with the other end where it is on this host; or summaries of many lives, in which
no step of any is lost. Pure: `now` is passed in and the same snapshots give the same reports.
Nothing here knows documents.
"""
