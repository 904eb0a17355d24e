"""Training: one trainer for every engine."""
