"""Plain torch layers shared by encoder and head."""
