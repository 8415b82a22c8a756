"""The completion scripts of bash, zsh and fish. Pure: what is offered comes in, a script goes out.

Each works alike: the words of the line that are neither flags nor their values are the command so
far; after a flag with a value come its values, after a `-` the flags, otherwise the next words.
"""
