"""The app with fake models, for the browser tests: python serve.py PORT GATE.

Of a picture whose name begins with "slow", the Mask2Former starter's fake makes nothing before the file GATE is there;
where it is called "slow failure.png", it fails then.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fakes import FakeModels  # noqa: E402
from streamlit.web import bootstrap  # noqa: E402

from segdemo import models  # noqa: E402
from segdemo.errors import ModelError  # noqa: E402

fakes = FakeModels()
gate = Path(sys.argv[2])


def load(key, *arguments, **options):
    print("loading", key, flush=True)
    model = fakes.load(key, *arguments, **options)
    if key == "starter/mask2former":
        model.preprocess = wait_at_the_gate
    return model


def wait_at_the_gate(pictures, scale=1):
    name = pictures[0].name
    while name.startswith("slow") and not gate.exists():
        time.sleep(0.02)
    if name == "slow failure.png":
        raise ModelError("This picture is too large for the device.")
    return pictures


models.load = load
options = {"server.port": int(sys.argv[1]), "server.headless": True}
bootstrap.load_config_options(options)
bootstrap.run(str(ROOT / "streamlit_app.py"), False, [], options)
