"""HTML pages in: what is read before anything is labelled."""
