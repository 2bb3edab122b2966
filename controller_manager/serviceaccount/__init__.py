"""Gives each namespace its `default` ServiceAccount."""
