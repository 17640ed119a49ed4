"""LLRP readers: `drivers.llrp.driver` is the driver, `settings` what can be set, `session` how a connection goes."""

from drivers.api import DriverFactory
from drivers.llrp.driver import LlrpDriver
from drivers.llrp.settings import LlrpSettings

FACTORY = DriverFactory(LlrpSettings, LlrpDriver)

__all__ = ["FACTORY", "LlrpDriver", "LlrpSettings"]
