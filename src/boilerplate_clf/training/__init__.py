"""Training: from text and labels to a bundle. Needs the extra ``train``."""
