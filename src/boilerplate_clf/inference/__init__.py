"""From paragraphs to labels: windows, session, document, classifier."""
