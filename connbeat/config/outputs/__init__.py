"""The options of the outputs, one module an output, its own options only: keys are relative.

`common` has what all of them share, `registry` puts both together.
"""
