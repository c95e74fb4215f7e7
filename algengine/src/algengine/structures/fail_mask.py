"""What kind of decision a sample shows (reference: algengine.md 1.2); files and configs call it `fail_mask`."""

NORMAL, REAL_FAILURE, SYNTHETIC = 0, 1, -1
