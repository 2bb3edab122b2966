"""Decisions of the kubelet: functions from what is wanted and what is observed to actions and statuses. No I/O, no clock."""
