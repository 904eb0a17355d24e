"""Data: adapters from what users have to batches."""
