"""Command line of `algengine`; heavy imports happen inside the commands."""
