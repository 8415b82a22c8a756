"""Cases: one module a kind of load; `CASES` of each goes into the list of `bench.__main__`."""
