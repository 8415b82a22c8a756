"""The options of the processors, by what they do: to fields, of the user's own, looked up."""
