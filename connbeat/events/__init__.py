"""Events: a report to its document, and to the event that carries it.

Takes the report of a connection, a listener or a summary, gives the document by the catalogue in
`model.fields`, with secrets masked, as a mapping or encoded. Nothing here knows where it goes.
"""
