"""Ticking models in the sidebar's list, as a person does who opens a family for it."""

from segdemo.models import catalog


def choose(app, *keys):
    """Tick these models of the catalogue and no others."""
    for family in {spec.family for spec in catalog.CATALOG if spec.key in keys and spec.source != "starter"}:
        app.session_state[f"family:{family}"] = True
    app.run()
    for box in app.sidebar.checkbox:
        if box.key.startswith("model:"):
            box.set_value(box.key.removeprefix("model:") in keys)
    return app.run()
