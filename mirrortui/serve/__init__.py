"""Serving a mirror: the embedded HTTP server, and the text that makes nginx, caddy or Apache serve it."""
