"""The core: specs, ops, variables and errors. It imports nothing else of Keraunos."""
