"""What several controllers know about pods, owners and their own loops; it decides nothing for them."""
