"""Newer Chafon readers, whose frames begin with CF: CF600, CF591, CF815, H103.

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

from drivers.serial.cf.frames import CfFraming, whole
from drivers.serial.cf.session import CfSession
from drivers.serial.cf.settings import CfSettings
from drivers.serial.driver import factory_of
from drivers.serial.family import Family

FAMILY = Family("cf", CfSettings, CfFraming, CfSession, probe=whole)
FACTORY = factory_of(FAMILY)
