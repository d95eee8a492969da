"""The HTTP service and its page (extra ``serve``)."""
