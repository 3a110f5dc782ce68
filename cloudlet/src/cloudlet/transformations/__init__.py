"""Cloudinary's transformation language: parse a string into typed steps and apply them to the bytes of an image.

This package does no HTTP, knows no store and reads no clock. The assets that a chain refers to are loaded by a callable
that the caller passes.
"""

from cloudlet.transformations.decoding import decode
from cloudlet.transformations.errors import MissingLayerError, TransformationError, UnreadableSourceError
from cloudlet.transformations.model import ImageLayer, Transformation
from cloudlet.transformations.parsing import MAX_COMPONENTS, looks_like_transformation, parse
from cloudlet.transformations.rendering import Limits, Rendered, render
from cloudlet.transformations.scope import AssetFacts

__all__ = [
    "MAX_COMPONENTS",
    "AssetFacts",
    "ImageLayer",
    "Limits",
    "MissingLayerError",
    "Rendered",
    "Transformation",
    "TransformationError",
    "UnreadableSourceError",
    "decode",
    "looks_like_transformation",
    "parse",
    "render",
]
