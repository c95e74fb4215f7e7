"""The closed loop: state in, state out, and the record of an episode."""
