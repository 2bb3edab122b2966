"""The two ways in: REST and gRPC. A door turns its wire into `Request`s and answers into its wire; no rule lives here."""
