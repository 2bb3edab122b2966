"""The wire: packets, sockets, measurements."""
