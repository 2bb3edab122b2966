"""What the kubelet's ports are made of on a real node, and the fakes that pass the same tests."""
