-- What the corpus tries to get at. {placeholders} are planted.py's secrets; 3 rows of everything.
GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE TABLE users (
  id int PRIMARY KEY,
  name text NOT NULL,
  email text UNIQUE,
  ssn text CHECK (length(ssn) > 3),
  phone varchar(40),
  salary int,
  born date,
  token uuid,
  notes jsonb,
  tags text[],
  photo bytea,
  balance numeric(12, 2),
  active bool DEFAULT true
);
INSERT INTO users VALUES
{users};
CREATE INDEX ON users (lower(ssn));
CREATE TABLE users_archive (archived timestamptz DEFAULT now()) INHERITS (users);
INSERT INTO users_archive SELECT id + 100, name, email, ssn, phone, salary, born, token, notes, tags,
  photo, balance, active FROM users;
CREATE TABLE people (id int, region text, email text) PARTITION BY LIST (region);
CREATE TABLE people_eu PARTITION OF people FOR VALUES IN ('eu');
CREATE TABLE people_us PARTITION OF people FOR VALUES IN ('us');
INSERT INTO people SELECT id, CASE WHEN id % 2 = 0 THEN 'eu' ELSE 'us' END, ssn FROM users;
CREATE TABLE "Weird Table" (id int, "Se""cret" text, "ssn" text);
INSERT INTO "Weird Table" SELECT id, ssn, 'harmless' FROM ONLY users;
CREATE SCHEMA shadow;
GRANT ALL ON SCHEMA shadow TO PUBLIC;
CREATE TABLE shadow.users (id int, name text, email text, ssn text);
INSERT INTO shadow.users VALUES (1, 'nobody', 'open@example.org', 'open');
CREATE TABLE orders (
  id int PRIMARY KEY,
  user_id int REFERENCES users,
  item text,
  total numeric(10, 2),
  buyer text REFERENCES users (email)
);
INSERT INTO orders SELECT id, id, 'thing ' || id, id * 10, NULL FROM ONLY users;
CREATE TABLE scratch (id int, words text, number int);
INSERT INTO scratch VALUES (1, 'one', 1), (2, 'two', 2);
CREATE TABLE badges (id int PRIMARY KEY, note text, pin text UNIQUE);
INSERT INTO badges SELECT id, 'badge ' || id, ssn FROM ONLY users;
CREATE TABLE narrow (words varchar(4));

CREATE VIEW v_users AS SELECT * FROM users;
CREATE VIEW v_contact AS SELECT id, email AS contact, ssn AS number FROM users;
CREATE VIEW v_nested AS SELECT id, contact AS c FROM v_contact;
CREATE VIEW v_lower AS SELECT id, lower(ssn) AS folded FROM users;
CREATE VIEW v_json AS SELECT id, to_jsonb(users) AS all_of_it FROM users;
CREATE VIEW v_join AS SELECT o.id, o.item, u.ssn FROM orders o JOIN users u ON u.id = o.user_id;
CREATE VIEW v_union AS SELECT ssn FROM users UNION ALL SELECT words FROM scratch;
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT id, ssn FROM users WHERE active;
CREATE MATERIALIZED VIEW mv_users AS SELECT id, name, email, ssn FROM ONLY users;
CREATE RULE told AS ON UPDATE TO v_contact DO INSTEAD
  UPDATE users SET name = name WHERE id = OLD.id RETURNING id, email, ssn;

CREATE FUNCTION get_ssn(int) RETURNS text LANGUAGE sql SECURITY DEFINER STABLE
  AS 'SELECT ssn FROM public.users WHERE id = $1';
CREATE FUNCTION all_users() RETURNS SETOF users LANGUAGE sql STABLE AS 'SELECT * FROM public.users';
CREATE FUNCTION tell(text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN RAISE NOTICE 'told: %', $1; RETURN 'ok'; END $$;
CREATE FUNCTION tell_all() RETURNS int LANGUAGE plpgsql AS
  $$ DECLARE r record; BEGIN FOR r IN SELECT ssn FROM public.users LOOP
     RAISE NOTICE '%', r.ssn; END LOOP; RETURN 1; END $$;
CREATE FUNCTION evaluate(text) RETURNS text LANGUAGE plpgsql AS
  $$ DECLARE r text; BEGIN EXECUTE $1 INTO r; RETURN r; END $$;
CREATE PROCEDURE loud() LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION '%', (SELECT ssn FROM public.users WHERE id = 1); END $$;
CREATE FUNCTION leaky_eq(text, text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS
  $$ BEGIN RAISE NOTICE '% %', $1, $2; RETURN $1 = $2; END $$;
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = leaky_eq);
CREATE FUNCTION opened(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE gathered (text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE DOMAIN loud_text AS text CHECK (leaky_eq(VALUE, 'x') IS NOT NULL);
CREATE TYPE pair AS (first text, second int);
CREATE FUNCTION on_order() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN RAISE NOTICE '%', (SELECT ssn FROM public.users WHERE id = NEW.user_id); RETURN NEW; END $$;
CREATE TRIGGER on_order BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION on_order();

GRANT ALL ON ALL TABLES IN SCHEMA public, shadow TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
SELECT lo_from_bytea(4711, convert_to((SELECT ssn FROM users WHERE id = 1), 'UTF8'));
GRANT ALL ON LARGE OBJECT 4711 TO PUBLIC;

-- The policy's: what must not be changed.
CREATE TABLE ledger (id int PRIMARY KEY, amount int, note text);
INSERT INTO ledger SELECT n, n * 100, 'entry ' || n FROM generate_series(1, 20) n;
CREATE TABLE payroll (id int, amount int);
INSERT INTO payroll VALUES (1, 42424242);
CREATE TABLE books (id int PRIMARY KEY);
INSERT INTO books VALUES (1), (2);
CREATE TABLE ledger_old (book int REFERENCES books ON DELETE CASCADE ON UPDATE CASCADE)
  INHERITS (ledger);
INSERT INTO ledger_old SELECT n, n * 100, 'old ' || n, 1 FROM generate_series(101, 104) n;
CREATE TABLE shadow.desk (id int);
CREATE RULE desk AS ON DELETE TO shadow.desk DO INSTEAD DELETE FROM public.ledger;
INSERT INTO shadow.desk VALUES (1);
CREATE MATERIALIZED VIEW shadow.mv_payroll AS SELECT * FROM payroll;
CREATE VIEW shadow.v_payroll AS SELECT * FROM shadow.mv_payroll;
CREATE VIEW v_ledger AS SELECT id, amount, note FROM ledger;
CREATE TABLE ledger_part (id int, k int) PARTITION BY LIST (k);
CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM public.ledger; SELECT 1';
CREATE PROCEDURE wipe_all() LANGUAGE sql AS 'DELETE FROM public.ledger';
CREATE FUNCTION on_scratch() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM public.ledger WHERE NEW.number = -666; RETURN NEW; END $$;
CREATE TRIGGER on_scratch BEFORE INSERT ON scratch FOR EACH ROW EXECUTE FUNCTION on_scratch();
ALTER TABLE badges OWNER TO orders_app;
ALTER TABLE ledger OWNER TO orders_app;
ALTER VIEW v_ledger OWNER TO orders_app;
ALTER TABLE scratch OWNER TO orders_app;
ALTER TABLE books OWNER TO orders_app;
ALTER TABLE ledger_old OWNER TO orders_app;
ALTER TABLE shadow.desk OWNER TO orders_app;
GRANT ALL ON ALL TABLES IN SCHEMA shadow TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
ANALYZE;
