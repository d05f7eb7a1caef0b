"""Which keys go to the challenger."""

from hashlib import sha256

_RANGE = 2**64


def goes_to_challenger(key: str, percent: float) -> bool:
    """Whether the key is one of that share of all keys.

    The same on every server and after every start. A larger share holds all keys of a smaller one.

    Args:
        key: Key of the entity.
        percent: Share of the keys, 0..100.
    """
    place = int.from_bytes(sha256(key.encode()).digest()[:8], "big") / _RANGE
    return 100 * place < percent
