"""The kernel's packet filter and connection table, real and imitated."""
