"""The items of ``eager``: transformations whose files are made at the upload."""

import dataclasses

from cloudlet.assets.formats import refuse_transformation, split_format
from cloudlet.assets.named_transformations import parse_parameter
from cloudlet.errors import ApiError, bad_request
from cloudlet.store import Store
from cloudlet.transformations import Transformation, TransformationError


@dataclasses.dataclass(frozen=True, slots=True)
class EagerItem:
    """One ``transformation[/format]`` of the ``eager`` parameter. ``problem`` says why it cannot be made."""

    text: str
    format: str
    transformation: Transformation
    problem: str = ""


def parsed(store: Store, value: str, resource_type: str = "image") -> list[EagerItem]:
    """Return the items of ``eager``; 400 names the one that makes no sense, before anything is stored.

    Of a video, whose transformations are not understood here, the file is worth keeping all the same: the items that
    cannot be made carry their problem.
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
    """Raise 400 for what makes another file of one that is kept as it is."""
    try:
        refuse_transformation(resource_type, stored, transformation, format_)
    except TransformationError as error:
        raise bad_request(str(error)) from error
