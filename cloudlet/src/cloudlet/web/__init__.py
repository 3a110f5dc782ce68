"""What every HTTP request passes, whatever API it is for: middleware, authentication, bodies and parameters."""
