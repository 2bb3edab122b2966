"""kctl: the command line of a cluster."""
