"""Tables as people keep them, in text files and workbooks: cells and their places."""
