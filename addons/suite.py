"""proctor under the stock tools: mitmdump, mitmproxy and mitmweb.

mitmdump -n -s addons/suite.py --set proctor_config=proctor.yaml

Without `-n` mitmproxy opens a proxy of its own before it knows whether this loads. Once it has,
that is shut; if it cannot, mitmproxy ends, and for a moment nothing of proctor's was there.

What it starts is proctor's own and outlives this script: should the script break or vanish while
mitmproxy runs, the listeners stay and refuse everything, until it is mended or mitmproxy restarted.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from proctor.runtime.stock import Stock

addons = [Stock()]
