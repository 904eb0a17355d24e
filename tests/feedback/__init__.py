"""Situations of users who made a mistake, and what they are told: a module for each family."""
