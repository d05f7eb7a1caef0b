"""How many distinct values there are, from a kilobyte that adds up (HyperLogLog, Flajolet et al. 2007)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# 2**10 registers: a standard error of 1.04 / sqrt(1024), 3 %.
_BITS = 10
_REGISTERS = 1 << _BITS
_BIAS = 0.7213 / (1 + 1.079 / _REGISTERS)


def distinct_registers(values: NDArray[np.float64]) -> bytes:
    """The sketch of some values; empty for none."""
    if not len(values):
        return b""
    # Minus zero equals zero, and would hash apart.
    hashes = pd.util.hash_array(values + 0.0)
    places = (hashes >> np.uint64(64 - _BITS)).astype(np.int64)
    rest = hashes & np.uint64((1 << (64 - _BITS)) - 1)
    # Position of the highest bit of the rest, counted from its top.
    ranks = (64 - _BITS) - np.frexp(rest.astype(np.float64))[1] + 1
    registers = np.zeros(_REGISTERS, np.uint8)
    np.maximum.at(registers, places, ranks.astype(np.uint8))
    return registers.tobytes()


def merged_registers(one: bytes, other: bytes) -> bytes:
    """The sketch of the values of both."""
    if not one or not other:
        return one or other
    return np.maximum(np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8)).tobytes()


def distinct_count(registers: bytes) -> int:
    """About how many distinct values were seen."""
    if not registers:
        return 0
    found = np.frombuffer(registers, np.uint8)
    estimate = _BIAS * _REGISTERS**2 / np.sum(2.0 ** -found.astype(np.float64))
    empty = int((found == 0).sum())
    if estimate <= 2.5 * _REGISTERS and empty:
        estimate = _REGISTERS * np.log(_REGISTERS / empty)
    return round(float(estimate))
