"""Dearraying: where the cores of a tissue microarray lie on a slide, and which core each is.

`contrast` turns an overview into tissue, `circles` finds discs of one size in it, `lattice`
numbers them as rows and columns, `detect` joins them with the TMA map, `corrections` applies a
person's word, and `overlay` draws the result.
"""
