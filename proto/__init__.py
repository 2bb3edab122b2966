"""The wire between processes: sources in *.proto, generated code in gen/ (never edited; `python -m proto.generate`)."""
