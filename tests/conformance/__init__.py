"""One table of calls, run on every engine."""
