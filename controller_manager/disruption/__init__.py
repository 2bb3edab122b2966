"""Counts for each PodDisruptionBudget how many of its pods may be moved away now."""
