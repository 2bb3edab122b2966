"""Claims that pods use, and volumes that claims hold, are not removed."""
