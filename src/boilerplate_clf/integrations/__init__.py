"""A few lines for each tool that people scrape and filter with; each module needs its tool installed."""
