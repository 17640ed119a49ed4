"""`python -m gateway` is `rfid-gateway`."""

import sys

from gateway.cli import main

sys.exit(main())
