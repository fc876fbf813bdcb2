"""Routing decisions: which models a conversation should go to, best first."""
