"""Rolls a Deployment's template out over ReplicaSets, and keeps the history for rolling back."""
