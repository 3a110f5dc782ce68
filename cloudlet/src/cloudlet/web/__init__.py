"""HTTP code that all APIs share: middleware, authentication, request bodies and parameters."""
