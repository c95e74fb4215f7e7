"""The bird's-eye-view encoder and its parts."""
