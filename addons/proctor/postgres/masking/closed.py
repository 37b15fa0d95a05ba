"""Relations and functions that tell of values, or of other people's statements, on another way.

The allow-list of functions (proctor.sql) keeps most of these from being called at all; here they
are closed also where an operator lets unknown functions pass.
"""

from typing import Final

_STATISTICS: Final = "the planner's statistics hold values of the columns"
_STATEMENTS: Final = "the text of statements holds the values that stand in them"
_RAW: Final = "pages, files and large objects hold values as they are stored"
_SQL: Final = "it runs a text as SQL, which nobody has read"
_OTHERS: Final = "it reads what another session sees, or another database"

RELATIONS: Final = {
    "pg_stats": _STATISTICS,
    "pg_statistic": _STATISTICS,
    "pg_stats_ext": _STATISTICS,
    "pg_stats_ext_exprs": _STATISTICS,
    "pg_statistic_ext_data": _STATISTICS,
    "pg_stat_activity": _STATEMENTS,
    "pg_stat_statements": _STATEMENTS,
    "pg_prepared_statements": _STATEMENTS,
    "pg_cursors": _STATEMENTS,
    "pg_backend_memory_contexts": _STATEMENTS,
    "pg_largeobject": _RAW,
}
"""Relations by name, in whatever schema, and why nobody reads them on a masked listener."""

FUNCTIONS: Final = {
    "query_to_xml": _SQL,
    "query_to_xmlschema": _SQL,
    "query_to_xml_and_xmlschema": _SQL,
    "cursor_to_xml": _SQL,
    "cursor_to_xmlschema": _SQL,
    "table_to_xml": _SQL,
    "table_to_xml_and_xmlschema": _SQL,
    "schema_to_xml": _SQL,
    "schema_to_xml_and_xmlschema": _SQL,
    "database_to_xml": _SQL,
    "database_to_xml_and_xmlschema": _SQL,
    "ts_stat": _SQL,
    "ts_rewrite": _SQL,
    "crosstab": _SQL,
    "crosstab2": _SQL,
    "crosstab3": _SQL,
    "crosstab4": _SQL,
    "connectby": _SQL,
    "xpath_table": _SQL,
    "dblink": _OTHERS,
    "dblink_exec": _OTHERS,
    "dblink_open": _OTHERS,
    "dblink_fetch": _OTHERS,
    "dblink_send_query": _OTHERS,
    "dblink_get_result": _OTHERS,
    "dblink_get_notify": _OTHERS,
    "current_query": _STATEMENTS,
    "pg_get_backend_memory_contexts": _STATEMENTS,
    "pg_stat_get_activity": _STATEMENTS,
    "pg_stat_get_backend_activity": _STATEMENTS,
    "pg_prepared_statement": _STATEMENTS,
    "pg_cursor": _STATEMENTS,
    "pg_stat_statements": _STATEMENTS,
    "pg_mcv_list_items": _STATISTICS,
    "get_raw_page": _RAW,
    "heap_page_items": _RAW,
    "heap_page_item_attrs": _RAW,
    "tuple_data_split": _RAW,
    "bt_page_items": _RAW,
    "brin_page_items": _RAW,
    "gist_page_items": _RAW,
    "gin_leafpage_items": _RAW,
    "hash_page_items": _RAW,
    "pg_read_file": _RAW,
    "pg_read_binary_file": _RAW,
    "lo_get": _RAW,
    "loread": _RAW,
    "lo_export": _RAW,
    "pg_logical_slot_get_changes": _OTHERS,
    "pg_logical_slot_peek_changes": _OTHERS,
    "pg_logical_slot_get_binary_changes": _OTHERS,
    "pg_logical_slot_peek_binary_changes": _OTHERS,
    "pg_get_wal_records_info": _RAW,
    "pg_get_wal_record_info": _RAW,
    "pg_get_wal_block_info": _RAW,
}
"""Functions by name, in whatever schema, and why nobody calls them on a masked listener."""

UNREAD: Final = "its body is SQL of its own, or a language that can run some"
"""Why a function of a user's is closed."""

SAFE_LANGUAGES: Final = ("c", "internal")
"""A function in one of these reads no table by itself; one that does is in FUNCTIONS."""
