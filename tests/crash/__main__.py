"""Kill every repair at every point, let every call of it fail, cut the power: what is left?

``--quick`` takes a minute and a half; all of it takes about an hour of one processor.
"""

from __future__ import annotations

import sys

from tests.counts import main
from tests.crash import parts
from tests.crash.foreign import part as foreign
from tests.crash.power import part as power

sys.exit(
    main({"kill": parts.kill, "errors": parts.errors, "power": power.run, "foreign": foreign.run})
)
