"""Handwritten digits: 1,797 real images of 8 by 8 pixels (E. Alpaydin and C. Kaynak, UCI; CC BY 4.0)."""

from __future__ import annotations

from typing import Any

from keraunos.datasets import load_split

__all__ = ["load_data"]


def load_data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The digits, split once and for all; the parts have every digit in equal shares.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: images `(samples, 8, 8)` of integers 0 to 16, and labels
        0 to 9, as uint8 arrays of 1,433 and 364 samples.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, x_test.shape, int(x_train.max())
    ((1433, 8, 8), (364, 8, 8), 16)
    """
    return load_split("digits")
