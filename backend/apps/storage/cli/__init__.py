"""What management commands that call storage share."""
