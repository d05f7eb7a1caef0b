"""What the feed refuses."""


class FeedError(ValueError):
    """The feed cannot be played as asked; the message names the thing, its value and the way out."""
