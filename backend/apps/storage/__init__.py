"""Ticket files on Cloudinary: the gateway to its API, rate and concurrency limits, and the file fields of tickets."""
