"""The API server: the only way in, and the only process that talks to the store."""
