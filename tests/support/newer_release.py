"""A release that is newer than this one: each section of its checkpoints has one more version.

``python -m tests.support.newer_release run --config …``. The step to it changes nothing, so that what it says can be
compared with what this release says.
"""

from __future__ import annotations

import sys

from gateway.floor import migrations

PROGRAM = ["-m", "tests.support.newer_release"]
"""What to run instead of the gateway itself."""

if __name__ == "__main__":
    for section, steps in list(migrations.STEPS.items()):
        migrations.STEPS[section] = (*steps, lambda content: content)  # type: ignore[index]
    from gateway.cli import main

    sys.exit(main(sys.argv[1:]))
