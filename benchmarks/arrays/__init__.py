"""Simulated overviews of TMA slides, drawn without any knowledge of how cores are found.

`layout` says where an array's cores lie, `tissue`, `outline` and `damage` draw them, `dirt`,
`bubbles`, `ink` and `glass` spoil the slide, `scene` puts light through it, and `kinds` says how
each kind of slide comes about.
"""
