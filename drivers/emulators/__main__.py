"""`python -m drivers.emulators`: the same as `rfid-gateway emulate`."""

from __future__ import annotations

import sys

from drivers.emulators.command import main

sys.exit(main())
