"""Deletes what has lost its owners, and carries out foreground deletion and orphaning."""
