"""What Keras keeps of its former versions for programs of that time."""

from keraunos.core.missing import answer_for
from keraunos.legacy import saving

__all__ = ["saving"]

answer_for(__name__)
