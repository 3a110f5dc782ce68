"""The language of search expressions, which are parsed and compiled to SQL for the index."""

from cloudlet.search.compiler import Compiled, compile_expression
from cloudlet.search.fields import ASSET_FIELDS, FOLDER_FIELDS, Field, Kind

__all__ = ["ASSET_FIELDS", "FOLDER_FIELDS", "Compiled", "Field", "Kind", "compile_expression"]
