"""The Streamlit page: a client of the library, and the only import of streamlit."""
