"""The report: one page that needs nothing but a browser, and a headline for the terminal."""
