"""The Elasticsearch output: batches as bulk requests, with the official client.

Every event goes out as a `create` under its own id, so sending it again changes nothing: "it is
there already" (409) is a delivery. What the cluster cannot take now is retried, event by event;
what it will never take is dropped with the cluster's own words. Index template and lifecycle policy
are put there before the first event. Versions 7.17, 8 and 9.
"""
