"""Small pieces of page. They know Streamlit; what they draw they are given."""
