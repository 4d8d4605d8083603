"""Frames in, Plotly figures out, in one style. They know neither Streamlit nor the database."""
