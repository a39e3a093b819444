"""The app with fake models, for the browser tests: python serve.py PORT."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fakes import FakeModels  # noqa: E402
from streamlit.web import bootstrap  # noqa: E402

from segdemo import models  # noqa: E402

fakes = FakeModels()


def load(key, *arguments, **options):
    print("loading", key, flush=True)
    return fakes.load(key, *arguments, **options)


models.load = load
options = {"server.port": int(sys.argv[1]), "server.headless": True}
bootstrap.load_config_options(options)
bootstrap.run(str(ROOT / "streamlit_app.py"), False, [], options)
