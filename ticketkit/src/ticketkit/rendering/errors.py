"""Exceptions of the renderer."""


class UndrawableTextError(Exception):
    """The fonts cannot draw a text as written. Internal: the renderer catches it and draws a replacement."""


class RenderingError(ValueError):
    """A ticket cannot be rendered. The message says what is wrong and how to fix it."""


class FontError(RenderingError):
    """A font file is missing or broken on this machine. The ticket itself is fine: retry once the font is installed."""
