"""The node's service proxy: makes the kernel answer for Service addresses."""
