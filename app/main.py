"""The entry: nobody passes without being somebody, and nothing that goes wrong below shows more than a sentence.

Pages lie in `pages/` at the top of the project and never in a folder beside this file: Streamlit would open those
without coming through here.
"""

from app import identity
from app.components import shell, states
from app.site_map import GROUPS

shell.set_up()
with states.failing_well("app"):
    viewer = identity.signed_in()
    if viewer is None:
        shell.welcome()
    else:
        chosen, menu = shell.navigation(viewer, GROUPS)
        shell.sidebar(viewer, menu)
        chosen.run()
