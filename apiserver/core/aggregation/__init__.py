"""What API aggregation decides, without I/O: which APIService a path belongs to, whether it is available, what is said."""
