"""The fields of search expressions, and their SQL in the index."""

import dataclasses
import enum


class Kind(enum.Enum):
    """How the values of a field are parsed and compared."""

    TEXT = "text"
    KEYWORD = "keyword"
    NUMBER = "number"
    SIZE = "size"
    DATE = "date"
    TAGS = "tags"
    FOLDER = "folder"


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """The kind and the SQL of a field. Keyword fields compare whole values, text fields also match words."""

    kind: Kind
    sql: str


ASSET_FIELDS = {
    "asset_id": Field(Kind.KEYWORD, "asset_id"),
    "public_id": Field(Kind.TEXT, "public_id"),
    "filename": Field(Kind.TEXT, "basename(public_id)"),
    "display_name": Field(Kind.TEXT, "display_name"),
    "original_filename": Field(Kind.TEXT, "original_filename"),
    "folder": Field(Kind.FOLDER, "asset_folder"),
    "asset_folder": Field(Kind.FOLDER, "asset_folder"),
    "resource_type": Field(Kind.KEYWORD, "resource_type"),
    "type": Field(Kind.KEYWORD, "type"),
    "format": Field(Kind.KEYWORD, "iif(resource_type = 'raw', extension(public_id), format)"),
    "etag": Field(Kind.KEYWORD, "etag"),
    "access_mode": Field(Kind.KEYWORD, "access_mode"),
    "status": Field(Kind.KEYWORD, "'active'"),
    "moderation_status": Field(Kind.KEYWORD, "coalesce(json_extract(moderation, '$[0].status'), '')"),
    "moderation_kind": Field(Kind.KEYWORD, "coalesce(json_extract(moderation, '$[0].kind'), '')"),
    "tags": Field(Kind.TAGS, "tags"),
    "bytes": Field(Kind.SIZE, "bytes"),
    "width": Field(Kind.NUMBER, "width"),
    "height": Field(Kind.NUMBER, "height"),
    "pages": Field(Kind.NUMBER, "pages"),
    "duration": Field(Kind.NUMBER, "duration"),
    "pixels": Field(Kind.NUMBER, "(width * height)"),
    "aspect_ratio": Field(Kind.NUMBER, "(width * 1.0 / height)"),
    "version": Field(Kind.NUMBER, "version"),
    "created_at": Field(Kind.DATE, "created_at"),
    "uploaded_at": Field(Kind.DATE, "created_at"),
    "updated_at": Field(Kind.DATE, "updated_at"),
}

FOLDER_FIELDS = {
    "name": Field(Kind.TEXT, "basename(path)"),
    "path": Field(Kind.FOLDER, "path"),
    "created_at": Field(Kind.DATE, "created_at"),
}
