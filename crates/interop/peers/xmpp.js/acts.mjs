// A user of xmpp.js who does what he is told: see crates/interop/src/matrix/person.rs for the orders and the answers.
//
// acts.mjs {"service": …, "host": …, "jid": …, "password": …, "room": …}; the authority is in NODE_EXTRA_CA_CERTS. The
// library knows no rooms: who is in one, and what is said there, is gathered here from the stanzas that it hands out.

import "./globals.mjs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import dns from "node:dns";
import { client, xml } from "@xmpp/client";

const STEP_MILLISECONDS = 20_000;
const MUC = "http://jabber.org/protocol/muc";

const { service, host, jid, password, room } = JSON.parse(process.argv[2]);
const [username, domain] = jid.split("@");
const { version } = createRequire(import.meta.url)("@xmpp/client/package.json");

// The names of a test are in no name server.
const lookup = dns.lookup;
dns.lookup = (name, options, done) => lookup(name === domain ? host : name, options, done);

const xmpp = client({ service, domain, username, password, resource: "xmpp.js" });
xmpp.timeout = STEP_MILLISECONDS;
const people = new Map();
const lines = [];
const notices = [];
const waiting = new Set();
let inside = false;

xmpp.on("error", (error) => console.error(error));
xmpp.on("stanza", (stanza) => {
  const [from, nick] = (stanza.attrs.from ?? "").split("/");
  if (from !== room) return;
  if (stanza.attrs.type === "error") notices.push(`error: ${stanza.getChild("error").children[0].name}`);
  else if (stanza.is("message")) said(stanza, nick);
  else if (stanza.is("presence")) shown(stanza, nick);
  waiting.forEach((look) => look(stanza));
});

function said(message, nick) {
  const body = message.getChildText("body");
  if (!body) return;
  if (nick) lines.push([nick, body]);
  else notices.push(body);
}

function shown(presence, nick) {
  const codes = statuses(presence);
  const gone = presence.attrs.type === "unavailable";
  if (gone) people.delete(nick);
  else people.set(nick, presence.getChildText("show"));
  if (!codes.includes("110") || codes.includes("303")) return;
  inside = !gone;
  if (gone) people.clear();
  if (gone) notices.push(`own presence: unavailable, ${codes.join(", ")}`);
}

const statuses = (presence) => (presence.getChild("x", `${MUC}#user`)?.getChildren("status") ?? []).map((s) => s.attrs.code);

// The presence that answers what was asked: one's own under that nick, or an error.
function answered(nick) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no presence as ${nick} came`)), STEP_MILLISECONDS);
    const look = (stanza) => {
      const refused = stanza.is("presence") && stanza.attrs.type === "error";
      const own = stanza.is("presence") && stanza.attrs.from === `${room}/${nick}` && statuses(stanza).includes("110");
      if (!refused && !own) return;
      waiting.delete(look);
      clearTimeout(timer);
      refused ? reject(new Error(stanza.toString())) : resolve();
    };
    waiting.add(look);
  });
}

async function present(nick, ...children) {
  const answer = answered(nick);
  await xmpp.send(xml("presence", { to: `${room}/${nick}` }, ...children));
  await answer;
}

const acts = {
  enter: ({ nick }) => present(nick, xml("x", MUC, xml("history", { maxstanzas: "0" }))),
  say: ({ body, id }) => xmpp.send(xml("message", { to: room, type: "groupchat", id }, xml("body", {}, body))),
  rename: ({ nick }) => present(nick),
  look: () => ({
    inside,
    people: [...people.keys()],
    away: [...people].filter(([, show]) => show === "away").map(([nick]) => nick),
    lines,
    notices,
  }),
  end: () => xmpp.stop().then(() => {}),
};

const tell = (what) => console.log(JSON.stringify(what));

async function login() {
  await xmpp.start();
  await xmpp.send(xml("presence"));
  const tls = xmpp.socket.socket?.getProtocol?.();
  tell({ version: `${version} on node ${process.versions.node.split(".")[0]}`, how: tls ? `STARTTLS, ${tls}` : "WebSocket, wss" });
}

await login();
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  try {
    tell((await acts[order.do](order)) ?? {});
  } catch (error) {
    tell({ failed: String(error) });
  }
  if (order.do === "end") break;
}
process.exit(0);
