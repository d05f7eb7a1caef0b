"""What may be written down of an error: the words of this package, which quote no restricted value and no secret.

Libraries quote what they stumble over: a row, a line, an address with its token.
"""

import dis

_PACKAGE = __name__.partition(".")[0]
_RAISE = dis.opmap["RAISE_VARARGS"]


def kinds(error: BaseException) -> str:
    """The error's type, and those of the errors that it came from."""
    return " from ".join(type(one).__name__ for one in _chain(error))


def own_words(error: BaseException) -> str:
    """The text that this package gave to an error, or to the one that it came from; without what it quotes of others.

    Empty where only others have told what went wrong.
    """
    chain = _chain(error)
    at = next((number for number, one in enumerate(chain) if _is_ours(one)), len(chain))
    text = "".join(map(str, chain[at : at + 1]))
    for other in chain[at + 1 :]:
        if not _is_ours(other) and str(other):
            text = text.replace(str(other), type(other).__name__)
    return text


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    found: BaseException | None = error
    # An error may be its own cause.
    while found is not None and all(found is not one for one in chain):
        chain.append(found)
        found = found.__cause__ or found.__context__
    return chain


def _is_ours(error: BaseException) -> bool:
    """Whether a ``raise`` of this package made the error: ``int("N1234")`` fails in our code, in words of its own."""
    place = error.__traceback__
    if place is None:
        return False
    while place.tb_next is not None:
        place = place.tb_next
    frame = place.tb_frame
    package, _, _ = str(frame.f_globals.get("__name__")).partition(".")
    return package == _PACKAGE and frame.f_code.co_code[place.tb_lasti] == _RAISE
