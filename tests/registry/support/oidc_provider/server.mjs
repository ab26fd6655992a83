// An OpenID Connect provider for tests: node server.mjs DIRECTORY, where DIRECTORY has node_modules.
//
// The first line of standard input is the configuration, JSON with these members, all of them optional:
//   port                 where it listens on 127.0.0.1; any free port if it is 0
//   algorithm            of ID tokens: RS256, PS256, ES256 or EdDSA
//   id_token_has_claims  whether ID tokens have the claims that /me answers
//   clients              their metadata, as RFC 7591 names it
// As soon as it listens, {"issuer": URL} is a line of standard output. The line `away` closes its port and everything
// that is connected, the line `back` opens it again; both are answered by a line. It ends with its standard input.
//
// Tests change it below /_test/:
//   PUT, DELETE accounts/SUBJECT  the claims of somebody who can sign in, as JSON
//   PUT, DELETE clients/ID        a client's metadata, as JSON
//   POST rotate                   replaces the signing key
//   POST skew                     {"seconds": N}: its clock is wrong by so much
//   GET requests                  how often each path was asked for
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// Standard output is for what tests read.
console.info = console.log = console.error;

// Modules are looked up beside this file, and these are not there.
const library = join(process.argv[2], "node_modules", "oidc-provider", "lib", "index.js");
const { default: Provider } = await import(pathToFileURL(library));

const CLAIMS = {
  openid: ["sub"],
  profile: ["name", "preferred_username"],
  email: ["email", "email_verified"],
  groups: ["groups"],
};
const CONTROL = "/_test/";
const INTERACTION = "/interaction/";

const accounts = new Map();
const clients = new Map();
const requests = new Map();
// What the provider keeps: sessions, grants, codes, tokens. A provider with other keys goes on with it.
const kept = new Map();

class Store {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  entries() {
    return [...kept].filter(([key]) => key.startsWith(this.key("")));
  }

  async upsert(id, payload, seconds) {
    kept.set(this.key(id), { payload, until: seconds === undefined ? Infinity : Date.now() + seconds * 1000 });
  }

  async find(id) {
    if (this.model === "Client") return clients.get(id);
    const entry = kept.get(this.key(id));
    return entry && Date.now() < entry.until ? entry.payload : undefined;
  }

  async findByUid(uid) {
    return this.entries().map(([, { payload }]) => payload).find((payload) => payload.uid === uid);
  }

  async consume(id) {
    kept.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    kept.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of this.entries()) if (payload.grantId === grantId) kept.delete(key);
  }
}

const html = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
// The library's own pages load fonts from another host.
const page = (title, content) =>
  `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${content}</html>`;

function newKey(algorithm) {
  const rsa = ["rsa", { modulusLength: 2048 }];
  const kinds = { RS256: rsa, PS256: rsa, ES256: ["ec", { namedCurve: "P-256" }], EdDSA: ["ed25519", {}] };
  const [type, options] = kinds[algorithm];
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), alg: algorithm, use: "sig", kid: randomBytes(8).toString("hex") };
}

function newProvider({ algorithm, id_token_has_claims }) {
  const provider = new Provider(issuer, {
    adapter: Store,
    jwks: { keys: [newKey(algorithm)] },
    claims: CLAIMS,
    scopes: Object.keys(CLAIMS),
    conformIdTokenClaims: !id_token_has_claims,
    responseTypes: ["code"],
    pkce: { methods: ["S256"], required: () => true },
    clientDefaults: {
      grant_types: ["authorization_code"],
      response_types: ["code"],
      id_token_signed_response_alg: algorithm,
    },
    // Cookies are sent to each port of a host: no other provider, and no registry, uses these names.
    cookies: {
      keys: [cookieKey],
      long: { sameSite: "lax" },
      names: {
        session: `provider_${port}_session`,
        interaction: `provider_${port}_interaction`,
        resume: `provider_${port}_resume`,
        state: `provider_${port}_state`,
      },
    },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600, Session: 86400 },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        logoutSource: (ctx, form) => {
          const button = '<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>';
          ctx.body = page("Sign out of the provider", form + button);
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = page("Signed out of the provider", "");
        },
      },
    },
    interactions: { url: (_, interaction) => INTERACTION + interaction.uid },
    findAccount: (_, subject) => {
      const claims = accounts.get(subject);
      return claims && { accountId: subject, claims: async () => ({ ...claims, sub: subject }) };
    },
    // Nobody is asked for consent: everything is granted that a client may ask for.
    loadExistingGrant: async (ctx) => {
      const { account, client } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ accountId: account.accountId, clientId: client.clientId });
      grant.addOIDCScope(Object.keys(CLAIMS).join(" "));
      await grant.save();
      return grant;
    },
    renderError: (ctx, out) => {
      const lines = Object.entries(out).map(([name, value]) => `<p>${name}: ${html(value)}</p>`);
      ctx.type = "html";
      ctx.body = page("The provider refuses this", lines.join(""));
    },
  });
  for (const event of ["server_error", "authorization.error", "grant.error", "userinfo.error", "end_session.error"]) {
    provider.on(event, (_, error) => {
      console.error(event, error.error_detail ?? error.error_description ?? error.stack);
    });
  }
  return { provider, answer: provider.callback() };
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

function send(response, status, type, body) {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
}

// The page on which somebody signs in, or refuses.
async function interact(request, response) {
  const { prompt, params } = await current.provider.interactionDetails(request, response);
  if (prompt.name !== "login") throw new Error(`no page for ${prompt.name}: ${prompt.reasons}`);
  let [login, said] = [params.login_hint ?? "", ""];
  if (request.method === "POST") {
    const form = new URLSearchParams(await read(request));
    login = form.get("login") ?? "";
    const result = form.has("refuse")
      ? { error: "access_denied", error_description: "the sign-in was refused" }
      : accounts.has(login) && { login: { accountId: login } };
    if (result) return current.provider.interactionFinished(request, response, result);
    said = `<p role="alert">Nobody is called ${html(login)} here.</p>`;
  }
  const form = `${said}<form method="post">
    <p><label>Login <input name="login" value="${html(login)}" required autofocus></label>
    <p><label>Password <input name="password" type="password"></label>
    <p><button>Sign in</button> <button name="refuse" value="yes" formnovalidate>Refuse</button>
    </form>`;
  send(response, 200, "text/html", page("Sign in at the provider", form));
}

async function control(request, response, path) {
  const [kind, id] = path.slice(CONTROL.length).split("/").map(decodeURIComponent);
  const body = await read(request);
  let answer = {};
  switch (`${request.method} ${kind}`) {
    case "PUT accounts":
      accounts.set(id, JSON.parse(body));
      break;
    case "DELETE accounts":
      accounts.delete(id);
      // The library fails in a session of nobody.
      for (const [key, { payload }] of kept) if (payload.accountId === id) kept.delete(key);
      break;
    case "PUT clients":
      await putClient({ ...JSON.parse(body), client_id: id });
      break;
    case "DELETE clients":
      clients.delete(id);
      break;
    case "POST rotate":
      current = newProvider(configuration);
      break;
    case "POST skew":
      skew = JSON.parse(body).seconds * 1000;
      break;
    case "GET requests":
      answer = Object.fromEntries(requests);
      break;
    default:
      return send(response, 404, "text/plain", "there is no such control");
  }
  send(response, 200, "application/json", JSON.stringify(answer));
}

// Fails if the provider does not accept it.
async function putClient(metadata) {
  const before = clients.get(metadata.client_id);
  clients.set(metadata.client_id, metadata);
  try {
    await current.provider.Client.find(metadata.client_id);
  } catch (error) {
    if (before) clients.set(metadata.client_id, before);
    else clients.delete(metadata.client_id);
    throw new Error(error.error_description ?? error.message);
  }
}

async function answer(request, response) {
  const path = request.url.split("?")[0];
  if (path.startsWith(CONTROL)) return control(request, response, path);
  requests.set(path, (requests.get(path) ?? 0) + 1);
  if (path.startsWith(INTERACTION)) return interact(request, response);
  return current.answer(request, response);
}

let skew = 0;
const now = Date.now;
Date.now = () => now() + skew;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const configuration = { port: 0, algorithm: "RS256", clients: [], ...JSON.parse((await lines.next()).value) };

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(request.method, request.url, error.stack);
    send(response, 400, "text/plain", error.message);
  });
});
async function listen(port) {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const port = await listen(configuration.port);
const issuer = `http://127.0.0.1:${port}`;
const cookieKey = randomBytes(16).toString("hex");
let current = newProvider(configuration);
for (const client of configuration.clients) await putClient(client);
say({ issuer });

for (let line; !(line = await lines.next()).done;) {
  if (line.value === "away") {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    say({ away: true });
  } else {
    await listen(port);
    say({ issuer });
  }
}
process.exit();
