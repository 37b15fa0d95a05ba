// What a program with node-postgres does at a database; prints what came of it, a line each.
//   node client.cjs OPTIONS     those of a Client, as in a program; the token in TOKEN

const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const { Client } = require("pg");
const { from, to } = require("pg-copy-streams");

const own = new Function("token", `return ${process.argv[2]}`)(process.env.TOKEN);

const say = (name, value) => console.log(`${name}=${String(value).replaceAll("\n", "|")}`);

async function refused(name, client, sql) {
  try {
    await client.query(sql);
    say(name, "it ran");
  } catch (error) {
    say(`${name}.state`, error.code);
    say(`${name}.message`, error.message);
    say(`${name}.detail`, error.detail);
    say(`${name}.hint`, error.hint);
  }
}

async function running(client, words) {
  const seen = "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1";
  while (!(await client.query(seen, [`${words}%`])).rowCount);
}

async function main() {
  const client = new Client(own);
  await client.connect();
  say("simple", (await client.query("SELECT name FROM people ORDER BY id")).rows[0].name);
  for (let round = 0; round < 2; round++) {
    const text = "SELECT id, name, born::text FROM people WHERE id = $1";
    const { rows } = await client.query({ name: "person", text, values: [2] });
    say("prepared", Object.values(rows[0]).join(" "));
  }
  const into = client.query(from("COPY notes FROM STDIN"));
  await pipeline(Readable.from(["one\n", "two\n"]), into);
  say("copied", into.rowCount);
  const parts = [];
  for await (const part of client.query(to("COPY notes TO STDOUT"))) parts.push(part);
  say("notes", Buffer.concat(parts).toString());
  await refused("denied", client, "DROP TABLE people");

  const other = new Client(own);
  await other.connect();
  const slow = client.query("SELECT pg_sleep(60)").then(
    () => say("cancelled", "it ran"),
    (error) => say("cancelled", error.code),
  );
  await running(other, "SELECT pg_sleep");
  new Client(own).cancel(client, client.activeQuery ?? client._activeQuery);
  await slow;
  await refused("held", client, "TRUNCATE people");
  say("after", (await client.query("SELECT count(*) FROM notes")).rows[0].count);
  await client.end();
  await other.end();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
