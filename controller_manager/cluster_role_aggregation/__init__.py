"""Puts ClusterRoles together from those that their aggregation rule selects."""
