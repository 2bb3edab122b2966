"""Fills Secrets that ask for a token of a ServiceAccount, and deletes them with it."""
