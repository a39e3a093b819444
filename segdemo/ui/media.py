"""Bytes that the browser fetches by an address of this server."""

from streamlit import config, runtime


def url(data: bytes, mimetype: str, place: str) -> str:
    """Where the browser fetches a file from, as long as a person's page shows it. place: names it on the page."""
    path = runtime.get_instance().media_file_mgr.add(data, mimetype, place)
    return f"/{config.get_option('server.baseUrlPath').strip('/')}{path}".replace("//", "/")
