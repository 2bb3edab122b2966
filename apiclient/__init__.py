"""How components speak with the API server: client, informers, queues, leader election, events."""
