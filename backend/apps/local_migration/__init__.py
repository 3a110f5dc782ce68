"""Tickets of old: from the local storage to Cloudinary, and back home."""
