"""What the renderer raises when it cannot make a ticket that will work."""


class RenderingError(ValueError):
    """A ticket cannot be drawn as asked. The text says what is wrong and what to do about it."""
