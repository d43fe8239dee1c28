"""The tables that the steps hand to one another, one module a table or a family of tables.

Each module states columns, types and units in one :class:`~her2pyramid.tables.table.Table`,
which writes and reads the Parquet file and refuses one that doesn't match.
"""
