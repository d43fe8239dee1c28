"""TMA maps as laboratories keep them: which core, and which patient, lies where on a slide.

`reading` is the one entry. `text` and `workbook` turn files into sheets of cells, `columns` tells
by their content what they hold, and `long` (a table with a row a core), `layout` (cells that lie
as the cores on the slide; `headers` finds its labels and `notes` what is no core) and `qupath`
read them into `drafts`.
`patients` reads the table that says whose each id is. docs/tma-maps.md tells it to users.
"""
