"""How far rendered images can be trusted; see docs/render_trust.md."""
