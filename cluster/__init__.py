"""Bring-up of clusters on one machine: certificates, configuration, namespaces, and the processes' supervisor.

A local cluster is one daemon (`cluster.daemon`, the warm parent), one publisher (`cluster.publisher`, which lives in the
network namespace of the switch), and for each node a process tree in namespaces of its own whose PID 1 is
`cluster.node_init`. `cluster.api` is what other programs call; everything else is internal.
"""
