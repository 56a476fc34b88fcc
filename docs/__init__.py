"""The documents. ``generate`` makes those that say so in their heads."""
