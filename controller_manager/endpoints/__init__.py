"""Keeps the Endpoints object of Services with a selector, for clients that do not read EndpointSlices."""
