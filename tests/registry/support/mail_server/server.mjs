// A mail server for tests: node server.mjs DIRECTORY, where DIRECTORY has node_modules.
//
// The first line of standard input is the configuration, JSON with these members, all of them optional:
//   user, password  what it wants before it takes a mail
//   key, cert       PEM: it offers STARTTLS, and takes nothing before it
// As soon as it listens on 127.0.0.1, {"port": N} is a line of standard output. Each mail that it takes is a further line,
// {"to": [ADDRESS], "headers": [[NAME, VALUE]], "subject": TEXT, "text": TEXT}.
// A line of standard input such as `451 later` is its answer to each recipient from then on, `sender 553 no` to each sender, and
// `take` ends that. Each is answered by {"done": true}. It ends with its standard input.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "package.json"));
const { SMTPServer } = require("smtp-server");
const { simpleParser } = require("mailparser");

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const problem = (answer) => Object.assign(new Error(answer.slice(4)), { responseCode: Number(answer.slice(0, 3)) });

let answer = null;
let toSender = null;

function start(configuration) {
  const { user, password, key, cert } = configuration;
  const disabled = [];
  if (!key) disabled.push("STARTTLS");
  if (!user) disabled.push("AUTH");
  const server = new SMTPServer({
    disabledCommands: disabled,
    authOptional: !user,
    key,
    cert,
    onAuth(given, session, done) {
      if (given.username === user && given.password === password) done(null, { user });
      else done(problem("535 wrong password"));
    },
    onMailFrom(address, session, done) {
      done(toSender ? problem(toSender) : null);
    },
    onRcptTo(address, session, done) {
      done(answer ? problem(answer) : null);
    },
    async onData(stream, session, done) {
      const mail = await simpleParser(stream, { skipTextToHtml: true });
      say({
        to: session.envelope.rcptTo.map((one) => one.address),
        headers: mail.headerLines.map(({ line }) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
        subject: mail.subject,
        text: mail.text,
      });
      done();
    },
  });
  server.on("error", (error) => console.error(error.message));
  server.listen(0, "127.0.0.1", () => say({ port: server.server.address().port }));
}

let started = false;
for await (const line of createInterface({ input: process.stdin })) {
  if (started) {
    toSender = line.startsWith("sender ") ? line.slice("sender ".length) : null;
    answer = line === "take" || toSender ? null : line;
    say({ done: true });
  } else {
    started = true;
    start(JSON.parse(line));
  }
}
process.exit(0);
