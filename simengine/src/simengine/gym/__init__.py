"""The closed loop as Gymnasium environments; importing this package registers `simengine/ClosedLoop-v0`."""

from simengine.gym.register import ENV_ID, register

register()

__all__ = ["ENV_ID", "register"]
