"""The cluster's name server: answers for Services and their endpoints, on every node."""
