"""The store behind the API server: one port, and the adapters `etcd` and `memory`."""
