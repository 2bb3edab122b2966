"""Deletes pods whose toleration of their node's NoExecute taints has run out."""
