"""The errors of this package. A delivery sends their text in the header `X-Cld-Error`."""


class TransformationError(ValueError):
    """A transformation cannot be parsed or applied. `component` is the part of its text that is at fault."""

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(f"Invalid transformation component - {component}: {reason}")
        self.component = component
        self.reason = reason


class UnreadableSourceError(ValueError):
    """The stored bytes are not a readable image or PDF, or the image exceeds the limits."""


class MissingLayerError(LookupError):
    """An overlay or underlay names an asset that does not exist."""

    def __init__(self, public_id: str, delivery_type: str) -> None:
        super().__init__(f"Unknown or invalid referenced image {public_id} of type {delivery_type}")
