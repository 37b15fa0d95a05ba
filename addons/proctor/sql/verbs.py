"""Every statement of PostgreSQL's grammar: its verb, what it may change, what is dangerous.

A statement that is missing here has the verb UNKNOWN and is opaque.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from proctor.sql.statement import Change

_CATALOG: Final = frozenset({Change.CATALOG})
_TRANSACTION: Final = frozenset({Change.TRANSACTION})
_NOTHING: Final[frozenset[Change]] = frozenset()


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of every statement of one type.

    Attributes:
        verb: The first word of it.
        changes: What it may change in the session.
        danger: A word for what leads out of sight or out of the database; "" for none.
        stores: It may change something other sessions see.
    """

    verb: str
    changes: frozenset[Change] = _NOTHING
    danger: str = ""
    stores: bool = True


def _ddl(verb: str, danger: str = "") -> Kind:
    return Kind(verb, _CATALOG, danger)


def _quiet(verb: str, *changes: Change) -> Kind:
    return Kind(verb, frozenset(changes), stores=False)


KINDS: Final[Mapping[str, Kind]] = {
    "SelectStmt": _quiet("SELECT"),
    "InsertStmt": Kind("INSERT"),
    "UpdateStmt": Kind("UPDATE"),
    "DeleteStmt": Kind("DELETE"),
    "MergeStmt": Kind("MERGE"),
    "CopyStmt": Kind("COPY"),
    "TruncateStmt": Kind("TRUNCATE"),
    "LockStmt": Kind("LOCK"),
    # Session and transaction.
    "TransactionStmt": _quiet("TRANSACTION", Change.TRANSACTION),
    "VariableSetStmt": _quiet("SET"),
    "VariableShowStmt": _quiet("SHOW"),
    "ConstraintsSetStmt": _quiet("SET"),
    "DiscardStmt": _quiet("DISCARD"),
    "PrepareStmt": _quiet("PREPARE", Change.PREPARED),
    "ExecuteStmt": Kind("EXECUTE"),
    "DeallocateStmt": _quiet("DEALLOCATE", Change.PREPARED),
    "DeclareCursorStmt": _quiet("DECLARE", Change.CURSOR),
    "FetchStmt": _quiet("FETCH"),
    "ClosePortalStmt": _quiet("CLOSE", Change.CURSOR),
    "ListenStmt": _quiet("LISTEN"),
    "UnlistenStmt": _quiet("UNLISTEN"),
    "NotifyStmt": Kind("NOTIFY"),
    "ExplainStmt": _quiet("EXPLAIN"),
    "LoadStmt": Kind("LOAD", frozenset({Change.UNKNOWN}), "load"),
    "DoStmt": Kind("DO", frozenset({Change.UNKNOWN}), "do"),
    "CallStmt": Kind("CALL", frozenset({Change.UNKNOWN})),
    # Upkeep.
    "VacuumStmt": Kind("VACUUM"),
    "ClusterStmt": Kind("CLUSTER"),
    "ReindexStmt": Kind("REINDEX"),
    "CheckPointStmt": Kind("CHECKPOINT"),
    "RefreshMatViewStmt": Kind("REFRESH"),
    # CREATE.
    "CreateStmt": _ddl("CREATE"),
    "CreateTableAsStmt": _ddl("CREATE"),
    "ViewStmt": _ddl("CREATE"),
    "IndexStmt": _ddl("CREATE"),
    "CreateSeqStmt": _ddl("CREATE"),
    "CreateSchemaStmt": _ddl("CREATE"),
    "CreateDomainStmt": _ddl("CREATE"),
    "CreateEnumStmt": _ddl("CREATE"),
    "CreateRangeStmt": _ddl("CREATE"),
    "CompositeTypeStmt": _ddl("CREATE"),
    "DefineStmt": _ddl("CREATE"),
    "CreateFunctionStmt": _ddl("CREATE"),
    "CreateTrigStmt": _ddl("CREATE"),
    "CreateEventTrigStmt": _ddl("CREATE", "event trigger"),
    "RuleStmt": _ddl("CREATE"),
    "CreatePolicyStmt": _ddl("CREATE"),
    "CreateStatsStmt": _ddl("CREATE"),
    "CreateCastStmt": _ddl("CREATE"),
    "CreateConversionStmt": _ddl("CREATE"),
    "CreateTransformStmt": _ddl("CREATE"),
    "CreateOpClassStmt": _ddl("CREATE"),
    "CreateOpFamilyStmt": _ddl("CREATE"),
    "CreateAmStmt": _ddl("CREATE", "access method"),
    "CreatePLangStmt": _ddl("CREATE", "language"),
    "CreateExtensionStmt": _ddl("CREATE", "extension"),
    "CreateFdwStmt": _ddl("CREATE", "foreign data"),
    "CreateForeignServerStmt": _ddl("CREATE", "foreign data"),
    "CreateForeignTableStmt": _ddl("CREATE", "foreign data"),
    "CreateUserMappingStmt": _ddl("CREATE", "foreign data"),
    "ImportForeignSchemaStmt": _ddl("IMPORT", "foreign data"),
    "CreatePublicationStmt": _ddl("CREATE", "replication"),
    "CreateSubscriptionStmt": _ddl("CREATE", "replication"),
    "CreateRoleStmt": _ddl("CREATE", "role"),
    "CreatedbStmt": _ddl("CREATE", "database"),
    "CreateTableSpaceStmt": _ddl("CREATE", "tablespace"),
    # ALTER.
    "AlterTableStmt": _ddl("ALTER"),
    "AlterDomainStmt": _ddl("ALTER"),
    "AlterEnumStmt": _ddl("ALTER"),
    "AlterTypeStmt": _ddl("ALTER"),
    "AlterSeqStmt": _ddl("ALTER"),
    "AlterFunctionStmt": _ddl("ALTER"),
    "AlterPolicyStmt": _ddl("ALTER"),
    "AlterStatsStmt": _ddl("ALTER"),
    "AlterCollationStmt": _ddl("ALTER"),
    "AlterOperatorStmt": _ddl("ALTER"),
    "AlterOpFamilyStmt": _ddl("ALTER"),
    "AlterTSConfigurationStmt": _ddl("ALTER"),
    "AlterTSDictionaryStmt": _ddl("ALTER"),
    "AlterObjectDependsStmt": _ddl("ALTER"),
    "AlterObjectSchemaStmt": _ddl("ALTER"),
    "AlterOwnerStmt": _ddl("ALTER"),
    "AlterDefaultPrivilegesStmt": _ddl("ALTER"),
    "AlterTableMoveAllStmt": _ddl("ALTER"),
    "AlterTableSpaceOptionsStmt": _ddl("ALTER", "tablespace"),
    "AlterExtensionStmt": _ddl("ALTER", "extension"),
    "AlterExtensionContentsStmt": _ddl("ALTER", "extension"),
    "AlterEventTrigStmt": _ddl("ALTER", "event trigger"),
    "AlterFdwStmt": _ddl("ALTER", "foreign data"),
    "AlterForeignServerStmt": _ddl("ALTER", "foreign data"),
    "AlterUserMappingStmt": _ddl("ALTER", "foreign data"),
    "AlterPublicationStmt": _ddl("ALTER", "replication"),
    "AlterSubscriptionStmt": _ddl("ALTER", "replication"),
    "AlterRoleStmt": _ddl("ALTER", "role"),
    "AlterRoleSetStmt": _ddl("ALTER", "role"),
    "AlterDatabaseStmt": _ddl("ALTER", "database"),
    "AlterDatabaseSetStmt": _ddl("ALTER", "database"),
    "AlterDatabaseRefreshCollStmt": _ddl("ALTER", "database"),
    "AlterSystemStmt": _ddl("ALTER", "alter system"),
    "RenameStmt": _ddl("ALTER"),
    "ReplicaIdentityStmt": _ddl("ALTER"),
    # The others.
    "DropStmt": _ddl("DROP"),
    "DropOwnedStmt": _ddl("DROP", "role"),
    "DropRoleStmt": _ddl("DROP", "role"),
    "DropdbStmt": _ddl("DROP", "database"),
    "DropTableSpaceStmt": _ddl("DROP", "tablespace"),
    "DropSubscriptionStmt": _ddl("DROP", "replication"),
    "DropUserMappingStmt": _ddl("DROP", "foreign data"),
    "GrantStmt": _ddl("GRANT"),
    "GrantRoleStmt": _ddl("GRANT", "role"),
    "ReassignOwnedStmt": _ddl("REASSIGN", "role"),
    "CommentStmt": _ddl("COMMENT"),
    "SecLabelStmt": _ddl("SECURITY", "security label"),
    "ReturnStmt": _quiet("SELECT"),  # RETURN expression, in a body after BEGIN ATOMIC
}

DANGERS: Final = frozenset(kind.danger for kind in KINDS.values()) - {""} | frozenset(
    {
        "copy program",
        "copy file",
        "standard_conforming_strings",
        "backslash_quote",
        "session authorization",
        "security definer",
        "c function",
        "prepared transaction",
    }
)
"""Every word `Statement.dangerous` may hold."""

TRANSACTIONS: Final[Mapping[str, str]] = {
    "TRANS_STMT_BEGIN": "BEGIN",
    "TRANS_STMT_START": "BEGIN",
    "TRANS_STMT_COMMIT": "COMMIT",
    "TRANS_STMT_ROLLBACK": "ROLLBACK",
    "TRANS_STMT_SAVEPOINT": "SAVEPOINT",
    "TRANS_STMT_RELEASE": "RELEASE",
    "TRANS_STMT_ROLLBACK_TO": "ROLLBACK",
    "TRANS_STMT_PREPARE": "PREPARE",
    "TRANS_STMT_COMMIT_PREPARED": "COMMIT",
    "TRANS_STMT_ROLLBACK_PREPARED": "ROLLBACK",
}

SETTINGS: Final[Mapping[str, Change]] = {
    "search_path": Change.SEARCH_PATH,
    "role": Change.ROLE,
    "session_authorization": Change.ROLE,
    "client_encoding": Change.ENCODING,
    "names": Change.ENCODING,
}
"""Settings that change more than themselves; every setting is a Change.SETTING as well."""

LEXING: Final = frozenset({"standard_conforming_strings", "backslash_quote"})
"""Settings under which the server reads a text in another way than the parser here."""

DISCARDS: Final[Mapping[str, frozenset[Change]]] = {
    "DISCARD_ALL": frozenset(Change) - {Change.UNKNOWN, Change.CATALOG, Change.TRANSACTION},
    "DISCARD_PLANS": _NOTHING,
    "DISCARD_SEQUENCES": _NOTHING,
    "DISCARD_TEMP": frozenset({Change.TEMP}),
}
