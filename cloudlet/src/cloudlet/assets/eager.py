"""The items of ``eager``: transformations whose files are made during the upload."""

import dataclasses

from cloudlet.assets.formats import refuse_transformation, split_format
from cloudlet.assets.named_transformations import parse_parameter
from cloudlet.errors import ApiError, bad_request
from cloudlet.store import Store
from cloudlet.transformations import Transformation, TransformationError


@dataclasses.dataclass(frozen=True, slots=True)
class EagerItem:
    """One ``transformation[/format]`` of the ``eager`` parameter. ``problem`` is set if it cannot be made."""

    text: str
    format: str
    transformation: Transformation
    problem: str = ""


def parse_items(store: Store, value: str, resource_type: str = "image") -> list[EagerItem]:
    """Parse the items of ``eager``, before anything is stored.

    Raises ApiError 400 for an invalid item of an image. Transformations of videos are not supported, but must not fail
    the upload, so an invalid item of a video has a ``problem`` instead.
    """
    texts = [text for text in value.split("|") if text]
    return [_item(store, *split_format(text), resource_type) for text in texts]


def _item(store: Store, chain: str, extension: str, resource_type: str) -> EagerItem:
    try:
        return EagerItem(chain, extension, parse_parameter(store, chain))
    except ApiError as error:
        if resource_type == "image":
            raise
        return EagerItem(chain, extension, Transformation(), error.message)


def refuse_change(resource_type: str, stored: str, transformation: Transformation, format_: str) -> None:
    """Raise ApiError 400 if the transformation would change a file whose type is stored unchanged."""
    try:
        refuse_transformation(resource_type, stored, transformation, format_)
    except TransformationError as error:
        raise bad_request(str(error)) from error
