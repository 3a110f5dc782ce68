"""What models and migrations share."""
