"""Keeps as many pods of one template running as a ReplicaSet asks for."""
