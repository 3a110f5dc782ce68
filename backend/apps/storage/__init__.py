"""Ticket files on Cloudinary: the gateway to its API, its limits, and the file fields of tickets."""
