"""What the steps share around their library call."""

import logging

from her2pyramid.steps import step


def test_a_log_takes_any_text(tmp_path, capfd):
    """A cell or file name that is no UTF-8 must not keep a message from the log."""
    with step("crop_cores S1", tmp_path / "a.log"):
        logging.getLogger("her2pyramid").info(
            "slide %s", b"M\xfcnchen".decode(errors="surrogateescape")
        )
    assert "slide M\\udcfcnchen" in (tmp_path / "a.log").read_text()
    assert "Traceback" not in capfd.readouterr().err
