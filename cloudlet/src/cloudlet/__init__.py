"""A Cloudinary-compatible media server for development and tests."""

__version__ = "0.1.0"
