"""Who decides: reactive and replayed traffic, and ego policies that need no camera."""
