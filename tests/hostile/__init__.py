"""Files that mean harm, or were damaged: one small function each, which writes the file to a path.

A module's `FILES` has the functions by the name of the file that each writes. `run` gives all of them to every door, in a process of its own.
"""
