"""The shell around the core: tasks that watch, wait, act through the ports, and report."""
