"""SQL text → what it does, read by PostgreSQL's own parser and resolved against the server's names.

Pure: no I/O, no clock. Reading says what is written; the server is asked once (QUESTION) what the
names mean to the session that will run it; resolving puts the two together. Whatever cannot be
known for sure is reported as more, never as less.

    script = read(text)                     # SqlError (a ClientError), code "sql-unparsable"
    questions = wanted(script)              # falsy: nothing to ask (BEGIN, COMMIT, SHOW, SELECT 1)
    # QUESTION with questions.parameters() (seven text-format arrays), prepared under a name and run
    # in the client's own upstream session by the extended protocol (a simple query would drop the
    # client's unnamed statement), answers one row of one text column:
    names = answered([(b"{...}",)])         # InternalError "sql-names"
    resolved = resolve(statement, names)    # NO_NAMES for a script that asked nothing
    resolve(statement, names, allowed=frozenset({"public.fullname", "extension:postgis"}))

Script: text, statements: tuple[Statement, ...] (none for an empty string), fingerprint: str (hex;
    libpg_query's of the whole string; "" for none).
Statement:
    text          its own slice of the string, outer blanks and semicolon off
    verbs         ("SELECT",), ("EXPLAIN", "DELETE") (EXPLAIN alone does not run it: ("EXPLAIN",)),
                  ("CREATE", "SELECT"), ("PREPARE", "INSERT"); all words: verbs.py
    references    tuple[Reference(catalog, schema, name, written, created, does, only)], names as
                  PostgreSQL folds them, "" for a part not written; `created`: the statement makes
                  it; `does`: letters of what becomes of its rows, I U D T, and C for CASCADE
    calls         tuple[Call(schema, name, kind)], kind a CallKind: FUNCTION, ATTRIBUTE
                  (`(x).name` and `u.name` may call name(x)), OPERATOR, SYNTAX (a function only
                  where the server's grammar is older)
    uses          tuple[Use(path, star, place)], path ("u", "email"), place OUTPUT | ELSEWHERE
    has_where     every UPDATE, DELETE and MERGE in it has a condition that names a column; without
                  any of these: whether a SELECT in it has one
    read_only     as it is written it stores nothing and locks no row (functions: see resolve)
    changes       frozenset[Change]: SEARCH_PATH ROLE ENCODING TEMP CATALOG TRANSACTION PREPARED
                  CURSOR SETTING UNKNOWN. COMMIT and ROLLBACK (TO) may bring back any setting
    settings      names that SET, RESET or set_config changes, lower case; "*": all, or unknown
    prepares, executes, deallocates ("*" for ALL), declares, fetches, closes ("*")   str | None
    copies        None | Copy(outgoing, program, file, relation: Reference | None, query: bool,
                  format: "text", "csv", "binary" …)
    parameters    highest n of $n
    opaque        why it cannot be seen into: "do", "function body", "rule", "node Xyz", ...
    dangerous     words for what leads out of sight or must not pass unasked: verbs.DANGERS ("copy
                  program", "load", "standard_conforming_strings", ...) and all of `opaque`
    tree          the parser's tree, for resolve; large, so keep Scripts in a bounded cache only

Names: relations, functions, operators, path (the effective search_path, implicit schemas included),
    schema (where CREATE goes, "" for none), database, user, version (150004),
    standard_conforming_strings (bool; False: refuse everything, the texts were misread)
    Relation(oid, schema, name, kind (pg_class.relkind), temporary, rules, children, columns:
    tuple[Column(name, number, type), ...])
Resolved:
    tables        ("public.orders", "pg_temp.t"): a part with a dot or quote in it is quoted; a
                  missing one by the schema it would be made in. After those that are named comes
                  what is reached by them (reaching.py): the tables under a view, partitions and
                  heirs (not with ONLY), parents, tables that foreign keys change, rules' tables
    named         those of `tables` that are named
    columns       ("public.users.email"): all that are touched; "public.gone.*" for a relation
                  whose columns are unknown
    outputs       tuple[frozenset[str], ...]: by output ordinal the columns it shows unchanged or
                  under a cast (empty: an expression); () without rows. For PREPARE and DECLARE
                  those of the query; COPY … TO: its columns
    outputs_known False: ordinals cannot be told; every known output column is in `elsewhere` too
    elsewhere     frozenset[str]: columns used in any other way: WHERE, expressions, ORDER BY,
                  INSERT … SELECT, CREATE TABLE AS, definitions, ...
    cast          frozenset[str]: those in `outputs` that stand under a cast
    assigned      frozenset[str]: columns that get a value
    written       frozenset[str]: those of `tables` that rows or definitions of are changed
    whole         frozenset[str]: relations of which whole rows are used, or an unknown name's
    functions     ("pg_catalog.lower", "public.operator ===") every function a name may mean;
                  operators of pg_catalog are left out. Also those that run with it: of triggers,
                  views, rules, policies, defaults, generated columns, checks, indexes
    unknown_functions   those not on the allow-list; refusal(name) says why in one word. Also
                  "partitions:public.events" for more children than are told, "relations" for more
                  of all
    opaque        "view public.v", "foreign table …", "rules on …", "materialized view …",
                  "trigger t on public.a calls public.f"
    missing       relations and functions ("f()") that do not exist for this session, as written
    read_only     statement.read_only and no unknown functions

Not seen: what functions of the database do; casts and domains of domains; event triggers; functions
and tables of pg_catalog behind a view or a trigger (the server records no dependencies on its own);
the columns behind a view; the columns of a function's rows (`FROM get_users()`: the function is
named instead).
"""
