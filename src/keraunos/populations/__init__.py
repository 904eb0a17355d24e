"""Populations: variants of one model, trained as one compiled program."""

from keraunos.core.missing import answer_for
from keraunos.populations.population import Population

__all__ = ["Population"]

answer_for(__name__)
