"""Sums that keep what plain ones lose: where magnitudes differ much, exact ones take their place."""

import math

import numpy as np

from paranet.metrics.promql.values import Floats, Index

_MUCH = 2.0**24


def is_delicate(values: Floats) -> bool:
    """Tell whether a plain sum of these could lose digits that matter."""
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    return bool(size.size) and bool(size.max() > size.min() * _MUCH)


def exact_sum(values: Floats) -> float:
    """Return the correctly rounded sum; infinities and NaN as IEEE adds them."""
    if not np.isfinite(values).all():
        return float(values.sum())
    try:
        return math.fsum(values)
    except OverflowError:
        return float(values.sum())


def column_sums(values: Floats) -> Floats:
    """Return the sums of columns with the digits that each addition loses added at the end (Ogita, Rump, Oishi 2005, Sum2)."""
    lost = np.zeros(values.shape[1])
    while len(values) > 1:
        half = len(values) // 2
        a, b = values[:half], values[half : 2 * half]
        total = a + b
        part = total - a
        lost += ((a - (total - part)) + (b - part)).sum(axis=0)
        values = np.concatenate((total, values[2 * half :]))
    found: Floats = np.where(np.isfinite(lost), values[0] + lost, values[0])
    return found


def exact_mean(values: Floats) -> float:
    """Return the mean, also where the sum is beyond the largest number."""
    total = exact_sum(values)
    if math.isinf(total) and np.isfinite(values).all():
        return exact_sum(values / len(values))
    return total / len(values)


def segment_sums(values: Floats, low: Index, high: Index) -> Floats:
    """Return the sums of values[low:high], which may overlap; 0 for none."""
    if is_delicate(values):
        return np.array([exact_sum(values[a:b]) for a, b in zip(low, high, strict=True)], dtype=np.float64)
    return np.where(high > low, reduced(np.add, values, low, high), 0.0)


def reduced(ufunc: np.ufunc, values: Floats, low: Index, high: Index) -> Floats:
    """Return ufunc.reduce over values[low:high] (of each row); what it returns for empty ones has no meaning."""
    if not values.shape[-1]:
        return np.zeros(len(low))
    padded = np.concatenate((values, values[..., -1:]), axis=-1)
    bounds = np.empty(2 * len(low), dtype=np.intp)
    bounds[0::2], bounds[1::2] = low, high
    found: Floats = ufunc.reduceat(padded, bounds, axis=-1)[..., ::2]
    return found
