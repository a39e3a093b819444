"""Networks that the libraries' own builders do not offer, put together from the libraries' own parts."""
