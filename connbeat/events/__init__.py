"""Events: a report to its document.

Takes the report of a connection, a listener or a summary, gives the document by the catalogue in
`model.fields`, with secrets masked. Nothing here knows where a document goes.
"""
