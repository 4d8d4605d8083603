"""What only a browser shows of documents: choosing a file, the preview under our headers, and the download."""

from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import Connection

from tests.browser.conftest import Dashboard, proposal
from tests.tables import given, id_of

_IS_DRAWN = (
    "(page) => page.getContext('2d').getImageData(0, 0, page.width, page.height).data.some((part) => part < 128)"
)


def test_a_proposal_is_uploaded_looked_at_and_taken_away(page: Page, dashboard: Dashboard, owner: Connection) -> None:
    given(owner, "crm_organizers", """
        id   | company_name | assigned_to
        acme | Acme         | rita""")  # fmt: skip
    content = proposal()
    dashboard.sign_in(page, "rita", f"/organizer?id={id_of('acme')}")
    page.get_by_role("button", name="Upload a document").click()
    drawer = page.get_by_role("dialog")
    chosen = drawer.locator("input[type=file]")
    chosen.set_input_files({"name": "Offer.pdf", "mimeType": "application/pdf", "buffer": b"MZ\x90\0"})
    upload = drawer.get_by_role("button", name="Upload", exact=True).last
    upload.click()
    expect(drawer.get_by_text("it is no PDF file")).to_be_visible()
    chosen.set_input_files({"name": "Offer.pdf", "mimeType": "application/pdf", "buffer": content})
    drawer.get_by_role("combobox").click()
    page.get_by_role("option", name="Proposal").click()
    upload.click()
    expect(drawer).to_be_hidden()
    expect(page.get_by_text("1 document, 0 signed")).to_be_visible()

    [document] = owner.exec_driver_sql("select id from crm_documents where document_type = 'proposal'").scalars()
    page.goto(dashboard.url(f"/documents?id={document}"))
    paper = page.locator("canvas.react-pdf__Page__canvas").first
    paper.wait_for()  # hidden until PDF.js has drawn it
    assert paper.evaluate(_IS_DRAWN)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename == "Offer.pdf"
    assert Path(download.value.path()).read_bytes() == content
