"""Delivery of assets and their derived files."""

from cloudlet.delivery.endpoint import routes

__all__ = ["routes"]
