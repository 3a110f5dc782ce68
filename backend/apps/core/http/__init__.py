"""What addresses and requests share."""
