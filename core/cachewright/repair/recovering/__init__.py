"""How each kind of interrupted operation is ended, from what is found where it was at work."""
