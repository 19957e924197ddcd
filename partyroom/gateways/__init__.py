"""Gateways: the three verbs of a room in each framework's accent. Import the one you need."""
