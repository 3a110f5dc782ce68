"""Find the asset of a path that can be interpreted in several ways."""

from dataclasses import dataclass

from cloudlet.assets.named_transformations import parse_with_names
from cloudlet.delivery.access import Credentials
from cloudlet.delivery.url_parsing import DeliveryPath, Reading, check_public_id
from cloudlet.errors import not_found, unauthorized
from cloudlet.ids import public_id_problem
from cloudlet.model import Asset
from cloudlet.store import Store
from cloudlet.transformations import Transformation, TransformationError


@dataclass(frozen=True, slots=True)
class Found:
    """The asset of a path, and the rest of the path. `warning` is set if it is the default image."""

    asset: Asset
    transformation: Transformation
    extension: str
    version: int | None
    warning: str = ""


def find_asset(path: DeliveryPath, credentials: Credentials, store: Store) -> Found:
    """Return the first reading of the path whose asset exists.

    Raises ApiError 401 if the signature fits no reading, 404 if there is no asset, and TransformationError if the
    transformation is invalid.
    """
    allowed, problem = _allowed_readings(path, credentials)
    if not allowed:
        raise unauthorized(problem)
    failure: TransformationError | None = None
    for reading in allowed:
        asset = _find(store, path, reading.public_id)
        if asset is None:
            continue
        try:
            transformation = parse_with_names(store, reading.transformation)
        except TransformationError as error:
            failure = failure or error
            continue
        return Found(asset, transformation, reading.extension, reading.version)
    if failure:
        raise failure
    return _missing(store, allowed[0])


def _allowed_readings(path: DeliveryPath, credentials: Credentials) -> tuple[list[Reading], str]:
    problems, allowed = [], []
    for reading in path.readings():
        problem = credentials.signature_problem(reading)
        if problem:
            problems.append(problem)
        else:
            allowed.append(reading)
    return allowed, problems[0] if problems else ""


def _find(store: Store, path: DeliveryPath, public_id: str) -> Asset | None:
    if public_id_problem(public_id):
        return None
    asset = store.get(path.resource_type, path.type, public_id)
    return None if asset is None or asset.placeholder else asset


def _missing(store: Store, reading: Reading) -> Found:
    """Return the default image (`d_`) if the path names one. Otherwise raise the reason why there is no asset."""
    transformation = parse_with_names(store, reading.transformation)
    if reading.undecided:
        parse_with_names(store, reading.undecided)  # raises an error that names the unknown parameter
    check_public_id(reading.public_id)
    message = f"Resource not found - {reading.public_id}"
    if transformation.default_image:
        stem, _, extension = transformation.default_image.rpartition(".")
        default = store.get("image", "upload", stem or extension)
        if default is not None and not default.placeholder:
            return Found(default, transformation, reading.extension, None, message)
    raise not_found(message)
