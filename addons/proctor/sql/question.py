"""The question that is asked of the server about names, in SQL.

All names are qualified and all operators written OPERATOR(pg_catalog.…), so that nothing the user
made is in the way, and nothing in it raises: an error would end the client's transaction.
"""

from typing import Final

MOST: Final = 4000
"""Steps from relation to relation, and functions behind them, that are told at most."""

MOST_CHILDREN: Final = 1000
"""Partitions or heirs of one relation that are told at most; one more says that there are more."""

# $1, $2: schemas and names of relations, $7: "w" for those whose rows the script changes, else "r";
# $3, $4: of functions; $5, $6: of operators. to_regclass raises where a schema may not be used,
# hence the CASE; a schema that does not exist gives NULL. The parameters stand in subqueries so
# that a prepared QUESTION is planned once, not every time.
#
# `reach` goes from what is named to what a statement gets to by it: v rules (also a view's query),
# c children, p parents (from a child no further than upwards, "u"), f foreign keys that refer to
# what is written. Those are looked up by their triggers on it, which an index finds. `code` is what
# runs with it, as far as pg_depend knows: the server records no dependencies on its own functions.
QUESTION: Final = """
WITH RECURSIVE s AS MATERIALIZED (SELECT pg_catalog.current_schemas(true) AS path,
 pg_catalog.pg_my_temp_schema() AS temp),
named AS MATERIALIZED (SELECT q.s, q.r, q.w, CASE WHEN q.s OPERATOR(pg_catalog.=) ''
  THEN pg_catalog.to_regclass(pg_catalog.quote_ident(q.r))
  WHEN q.s OPERATOR(pg_catalog.=) 'pg_temp' OR pg_catalog.has_schema_privilege(
   pg_catalog.to_regnamespace(pg_catalog.quote_ident(q.s))::pg_catalog.oid, 'USAGE')
  THEN pg_catalog.to_regclass(pg_catalog.format('%I.%I', q.s, q.r)) END::pg_catalog.oid AS found
 FROM ROWS FROM (pg_catalog.unnest((SELECT $1::pg_catalog.text[])),
  pg_catalog.unnest((SELECT $2::pg_catalog.text[])),
  pg_catalog.unnest((SELECT $7::pg_catalog.text[]))) AS q(s, r, w)),
reach(source, kind, how, oid, way) AS (
 SELECT 0::pg_catalog.oid, ''::pg_catalog.text, ''::pg_catalog.text, n.found, n.w FROM named n
 WHERE n.found IS NOT NULL
 UNION SELECT e.* FROM reach r CROSS JOIN LATERAL (
  SELECT r.oid, 'v', w.ev_type::pg_catalog.text, d.refobjid, r.way FROM pg_catalog.pg_rewrite w
  JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 2618::pg_catalog.oid
   AND d.objid OPERATOR(pg_catalog.=) w.oid
   AND d.refclassid OPERATOR(pg_catalog.=) 1259::pg_catalog.oid
    AND d.refobjid OPERATOR(pg_catalog.<>) r.oid
  WHERE w.ev_class OPERATOR(pg_catalog.=) r.oid AND w.ev_enabled OPERATOR(pg_catalog.<>) 'D'
   AND (r.way OPERATOR(pg_catalog.=) 'w' OR (r.way OPERATOR(pg_catalog.=) 'r'
    AND w.ev_type OPERATOR(pg_catalog.=) '1'))
  UNION ALL (SELECT r.oid, 'c', '', i.inhrelid, r.way FROM pg_catalog.pg_inherits i
   WHERE i.inhparent OPERATOR(pg_catalog.=) r.oid AND r.way OPERATOR(pg_catalog.<>) 'u' LIMIT 1001)
  UNION ALL SELECT r.oid, 'p', '', i.inhparent, 'u' FROM pg_catalog.pg_inherits i
   WHERE i.inhrelid OPERATOR(pg_catalog.=) r.oid
  UNION ALL SELECT r.oid, 'f', pg_catalog.concat(c.confdeltype, c.confupdtype,
    pg_catalog.array_to_string(c.confkey, ',')), c.conrelid, 'w' FROM pg_catalog.pg_trigger t
   JOIN pg_catalog.pg_constraint c ON c.oid OPERATOR(pg_catalog.=) t.tgconstraint
    AND c.contype OPERATOR(pg_catalog.=) 'f' AND c.confrelid OPERATOR(pg_catalog.=) r.oid
   WHERE t.tgrelid OPERATOR(pg_catalog.=) r.oid
    AND r.way OPERATOR(pg_catalog.=) 'w') e(source, kind, how, oid, way)),
graph AS MATERIALIZED (SELECT * FROM reach LIMIT 4000),
nodes AS (SELECT g.oid, pg_catalog.bool_or(g.way OPERATOR(pg_catalog.=) 'w') AS w,
 pg_catalog.bool_and(g.way OPERATOR(pg_catalog.=) 'u') AS u FROM graph g GROUP BY g.oid),
parts AS MATERIALIZED (SELECT n.oid, o.class, o.id, o.what, o.name, o.how
 FROM nodes n CROSS JOIN LATERAL (
  SELECT 2618::pg_catalog.oid, w.oid, 'rule', w.rulename, w.ev_type::pg_catalog.text
   FROM pg_catalog.pg_rewrite w WHERE w.ev_class OPERATOR(pg_catalog.=) n.oid
    AND (n.w OR w.ev_type OPERATOR(pg_catalog.=) '1')
  UNION ALL SELECT 2604::pg_catalog.oid, d.oid, 'default', '', '' FROM pg_catalog.pg_attrdef d
   WHERE d.adrelid OPERATOR(pg_catalog.=) n.oid AND n.w
  UNION ALL SELECT 2606::pg_catalog.oid, c.oid, 'check', c.conname, ''
   FROM pg_catalog.pg_constraint c WHERE c.conrelid OPERATOR(pg_catalog.=) n.oid
    AND c.contype OPERATOR(pg_catalog.=) 'c' AND n.w
  UNION ALL SELECT 2606::pg_catalog.oid, c.oid, 'check', c.conname, ''
   FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_constraint c ON c.contypid
    OPERATOR(pg_catalog.=) a.atttypid
   WHERE a.attrelid OPERATOR(pg_catalog.=) n.oid
    AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND n.w
  UNION ALL SELECT 3256::pg_catalog.oid, p.oid, 'policy', p.polname, ''
   FROM pg_catalog.pg_policy p WHERE p.polrelid OPERATOR(pg_catalog.=) n.oid
  UNION ALL SELECT 2620::pg_catalog.oid, t.oid, 'trigger', t.tgname, t.tgtype::pg_catalog.text
   FROM pg_catalog.pg_trigger t
   WHERE t.tgrelid OPERATOR(pg_catalog.=) n.oid AND NOT t.tgisinternal
    AND t.tgenabled OPERATOR(pg_catalog.<>) 'D' AND n.w
  UNION ALL SELECT 1259::pg_catalog.oid, i.indexrelid, 'index', '', ''
   FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) n.oid AND n.w
  UNION ALL SELECT 1259::pg_catalog.oid, n.oid, 'definition', '', '' WHERE n.w
 ) o(class, id, what, name, how) WHERE NOT n.u),
code AS MATERIALIZED (SELECT o.oid, o.what, o.name, o.how, d.refclassid, d.refobjid
 FROM parts o JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) o.class
  AND d.objid OPERATOR(pg_catalog.=) o.id
 WHERE d.refclassid OPERATOR(pg_catalog.=) 1255::pg_catalog.oid OR d.refclassid
  OPERATOR(pg_catalog.=) 2617::pg_catalog.oid LIMIT 4000)
SELECT pg_catalog.json_build_object(
 'version', pg_catalog.current_setting('server_version_num'),
 'conforming', pg_catalog.current_setting('standard_conforming_strings'),
 'database', pg_catalog.current_database(), 'user', CURRENT_USER,
 'schema', pg_catalog.current_schema(), 'path', s.path,
 'relations', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(r.s, r.r, c.oid, n.nspname,
   c.relname, c.relkind, c.relpersistence, c.relhasrules, c.relhassubclass,
   (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, a.attnum, a.atttypid,
      a.attgenerated OPERATOR(pg_catalog.<>) '') ORDER BY a.attnum USING OPERATOR(pg_catalog.<))
       FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid
     AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
     AND NOT a.attisdropped)))
  FROM named r JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.found
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace),
 'reached', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid, n.nspname, c.relname,
   c.relkind, c.relpersistence, c.relrowsecurity))
  FROM nodes g JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) g.oid
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace),
 'steps', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(g.source, g.kind, g.how, g.oid))
  FROM graph g),
 'code', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid, c.what, c.name, c.how,
   CASE WHEN c.refclassid OPERATOR(pg_catalog.=) 1255::pg_catalog.oid
    THEN (SELECT pg_catalog.json_build_array(n.nspname, p.proname) FROM pg_catalog.pg_proc p
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace WHERE p.oid
      OPERATOR(pg_catalog.=) c.refobjid)
    ELSE (SELECT pg_catalog.json_build_array(n.nspname, o.oprname) FROM pg_catalog.pg_operator o
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace WHERE o.oid
      OPERATOR(pg_catalog.=) c.refobjid) END,
   (SELECT e.extname FROM pg_catalog.pg_depend b JOIN pg_catalog.pg_extension e
     ON e.oid OPERATOR(pg_catalog.=) b.refobjid WHERE b.classid OPERATOR(pg_catalog.=) c.refclassid
      AND b.objid OPERATOR(pg_catalog.=) c.refobjid
     AND b.deptype OPERATOR(pg_catalog.=) 'e'
      AND b.refclassid OPERATOR(pg_catalog.=) 3079::pg_catalog.oid),
   c.refclassid OPERATOR(pg_catalog.=) 2617::pg_catalog.oid)) FROM code c),
 'functions', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(q.s, q.f, n.nspname,
   (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e
     ON e.oid OPERATOR(pg_catalog.=) d.refobjid
    WHERE d.classid OPERATOR(pg_catalog.=) 1255::pg_catalog.oid
     AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
     AND d.refclassid OPERATOR(pg_catalog.=) 3079::pg_catalog.oid)))
  FROM ROWS FROM (pg_catalog.unnest((SELECT $3::pg_catalog.text[])),
   pg_catalog.unnest((SELECT $4::pg_catalog.text[]))) AS q(s, f)
  JOIN pg_catalog.pg_proc p ON p.proname OPERATOR(pg_catalog.=) q.f::pg_catalog.name
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
  WHERE CASE WHEN q.s OPERATOR(pg_catalog.=) '' THEN n.nspname OPERATOR(pg_catalog.=) ANY (s.path)
   WHEN q.s OPERATOR(pg_catalog.=) 'pg_temp' THEN n.oid OPERATOR(pg_catalog.=) s.temp
   ELSE n.nspname OPERATOR(pg_catalog.=) q.s::pg_catalog.name END),
 'operators', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(q.s, q.f, n.nspname,
   (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e
     ON e.oid OPERATOR(pg_catalog.=) d.refobjid
    WHERE d.classid OPERATOR(pg_catalog.=) 2617::pg_catalog.oid
     AND d.objid OPERATOR(pg_catalog.=) o.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
     AND d.refclassid OPERATOR(pg_catalog.=) 3079::pg_catalog.oid)))
  FROM ROWS FROM (pg_catalog.unnest((SELECT $5::pg_catalog.text[])),
   pg_catalog.unnest((SELECT $6::pg_catalog.text[]))) AS q(s, f)
  JOIN pg_catalog.pg_operator o ON o.oprname OPERATOR(pg_catalog.=) q.f::pg_catalog.name
   AND o.oprnamespace OPERATOR(pg_catalog.<>) 11::pg_catalog.oid
  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace
  WHERE CASE WHEN q.s OPERATOR(pg_catalog.=) '' THEN n.nspname OPERATOR(pg_catalog.=) ANY (s.path)
   WHEN q.s OPERATOR(pg_catalog.=) 'pg_temp' THEN n.oid OPERATOR(pg_catalog.=) s.temp
   ELSE n.nspname OPERATOR(pg_catalog.=) q.s::pg_catalog.name END)
)::pg_catalog.text FROM s
"""
