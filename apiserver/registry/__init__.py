"""The verbs on objects: what is read from the cache, what is decided by the core, what is written to storage."""
