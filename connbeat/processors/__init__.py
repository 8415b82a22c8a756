"""Processors: documents in, documents out (drop, add, rename, convert, look up).

Takes the steps of `processors:`, gives one function from a document to a document, or to none
where a step drops the event. A document is never changed, it is made anew as far as it differs:
its parts may be shared with other documents. A step that fails leaves the document as it was, is
counted, and the event goes on. What has to be looked up (names, host, cloud) comes from `services`
that somebody else keeps; the `client` modules do that, and everything else here is pure.
"""
