// Shows a token to the MCP server that is tested, as a client's configuration would. Loaded before
// the conformance tool, which asks in three ways: fetch, node:http and undici.
import http from "node:http";
import { createRequire } from "node:module";

const authorization = `Bearer ${process.env.PROCTOR_TOKEN}`;

const fetched = globalThis.fetch;
globalThis.fetch = (input, init = {}) => {
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : {}));
  headers.set("authorization", authorization);
  return fetched(input, { ...init, headers });
};

const asked = http.request;
http.request = (...given) => {
  const request = asked(...given);
  request.setHeader("authorization", authorization);
  return request;
};

const undici = createRequire(process.argv[1])("undici");
const add = (dispatch) => (options, handler) => {
  const headers = { ...options.headers, authorization };
  return dispatch({ ...options, headers }, handler);
};
undici.setGlobalDispatcher(new undici.Agent().compose(add));
