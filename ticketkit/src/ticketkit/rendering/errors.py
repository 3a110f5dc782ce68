"""What the renderer raises when it cannot make a ticket that will work."""


class UndrawableTextError(Exception):
    """A text that the fonts do not draw as it is written. It stays inside the renderer, which draws another one."""


class RenderingError(ValueError):
    """A ticket cannot be drawn as asked. The text says what is wrong and what to do about it."""


class FontError(RenderingError):
    """A font of this machine is missing or broken: no fault of the ticket's, which can be drawn once that is mended."""
