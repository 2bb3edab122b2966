"""Removes pods that nobody will ever finish: on nodes that are gone, never placed, or finished in great number."""
