"""The one error of this package: its text is what a delivery puts into `X-Cld-Error`."""


class TransformationError(ValueError):
    """A transformation that can't be parsed or applied. `component` is the part of the text at fault."""

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(f"Invalid transformation component - {component}: {reason}")
        self.component = component
        self.reason = reason


class UnreadableSourceError(ValueError):
    """The stored bytes aren't an image or a PDF that can be rendered (or it is larger than the limits allow)."""


class MissingLayerError(LookupError):
    """An overlay or underlay names an asset that isn't there."""

    def __init__(self, public_id: str, delivery_type: str) -> None:
        super().__init__(f"Unknown or invalid referenced image {public_id} of type {delivery_type}")
