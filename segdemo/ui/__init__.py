"""The app's own parts: the only layer that imports streamlit."""
