"""The scheduler: gives every pod that has no node one that fits best."""
