"""What a request is refused with."""

from http import HTTPStatus


class RequestError(ValueError):
    """A request that is not scored; the message names the field or the limit, and the way out.

    Args:
        message: What is wrong.
        status: HTTP status of the answer.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status
