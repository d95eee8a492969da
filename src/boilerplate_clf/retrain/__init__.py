"""Training with labels of one's own: reading tables, checking them, fitting, choosing what to label next."""
