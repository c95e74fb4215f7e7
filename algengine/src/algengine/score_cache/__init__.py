"""Making a score cache of a whole split, on this machine or on a Ray cluster."""
