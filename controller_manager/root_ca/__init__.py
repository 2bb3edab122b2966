"""Publishes the cluster's CA certificate in each namespace, for pods that talk to the API."""
