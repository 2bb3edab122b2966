"""Notices nodes that fall silent, says so in their status, taints them, and takes their pods out of service."""
