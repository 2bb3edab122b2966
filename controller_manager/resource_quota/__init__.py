"""Keeps the status of each ResourceQuota: the limits in force, and what its namespace uses of them."""
