"""Events: a report to its document.

Takes a `ConnectionReport` or `ListenerReport`, gives the document by the catalogue in
`model.fields`, with secrets masked. Nothing here knows where a document goes.
"""
