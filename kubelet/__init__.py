"""The node's agent: runs the pods that are bound to its node through a CRI runtime, and tells the API server how they are."""
