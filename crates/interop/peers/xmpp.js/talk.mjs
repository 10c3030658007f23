// A user of xmpp.js enters a room, answers who speaks, leaves. Prints each step; whoever started it plays the other part.
//
// talk.mjs SERVICE JID PASSWORD ROOM NICK [break]; the authority is in NODE_EXTRA_CA_CERTS. With `break` the connection
// breaks once it is in the room, and the session is resumed (XEP-0198).

import "./globals.mjs";
import { client, xml } from "@xmpp/client";

const STEP_MILLISECONDS = 20_000;
const LINE = "Neither, fair saint, if either thee dislike.";

const [service, jid, password, room, nick, breaks] = process.argv.slice(2);
const [username, domain] = jid.split("@");
const xmpp = client({ service, domain, username, password, resource: "xmpp.js" });
xmpp.timeout = STEP_MILLISECONDS;

const unread = [];
const waiting = new Set();
let heard = 0;
xmpp.on("stanza", (stanza) => {
  unread.push(stanza);
  heard += spoken(stanza, (from) => from !== `${room}/${nick}`) ? 1 : 0;
  waiting.forEach((look) => look());
});
xmpp.on("error", (error) => (breaks ? console.error(error) : fail(error)));

function fail(error) {
  console.error(error);
  process.exit(1);
}

// The first stanza, from here on, that is what is wanted.
function receive(what, wanted) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} came`)), STEP_MILLISECONDS);
    const look = () => {
      while (unread.length > 0) {
        const stanza = unread.shift();
        if (wanted(stanza)) {
          waiting.delete(look);
          clearTimeout(timer);
          resolve(stanza);
          return;
        }
      }
    };
    waiting.add(look);
    look();
  });
}

const has110 = (stanza) =>
  stanza.getChild("x", "http://jabber.org/protocol/muc#user")?.getChildren("status").some((s) => s.attrs.code === "110");
const own = (stanza) => stanza.is("presence") && stanza.attrs.from === `${room}/${nick}` && has110(stanza);
const spoken = (stanza, by) =>
  stanza.is("message") && stanza.attrs.type === "groupchat" && stanza.getChild("body") && by(stanza.attrs.from);

async function play() {
  const bound = await xmpp.start();
  console.log("bound", bound.toString());
  // Version 0.14 does not count answers to its own requests as stanzas it has handled, nor what comes in one piece with the
  // answer that makes the session resumable: each of these would bring one stanza twice.
  if (breaks) {
    while (!xmpp.streamManagement.enabled) await new Promise((resolve) => setTimeout(resolve, 1));
  } else {
    const roster = await xmpp.iqCaller.request(xml("iq", { type: "get" }, xml("query", "jabber:iq:roster")));
    console.log("roster", roster.attrs.type);
    await xmpp.iqCaller.request(xml("iq", { type: "get", to: domain }, xml("ping", "urn:xmpp:ping")));
    console.log("pong");
  }
  await xmpp.send(xml("presence"));
  await xmpp.send(xml("presence", { to: `${room}/${nick}` }, xml("x", "http://jabber.org/protocol/muc")));
  await receive("own presence", (stanza) => own(stanza) && !stanza.attrs.type);
  console.log("entered");
  if (breaks) {
    const resumed = new Promise((resolve) => xmpp.streamManagement.on("resumed", resolve));
    xmpp.socket.destroy ? xmpp.socket.destroy() : xmpp.socket.end();
    await resumed;
    console.log("resumed");
  }
  const message = await receive("message of another", (stanza) => spoken(stanza, (from) => from !== `${room}/${nick}`));
  console.log("heard", message.attrs.from.split("/")[1], message.getChildText("body"));
  await xmpp.send(xml("message", { to: room, type: "groupchat", id: "line" }, xml("body", {}, LINE)));
  await receive("own message", (s) => spoken(s, (from) => from === `${room}/${nick}`) && s.getChildText("body") === LINE);
  console.log("said");
  if (breaks && heard === 1) console.log("once");
  await xmpp.send(xml("presence", { to: `${room}/${nick}`, type: "unavailable" }));
  await receive("own leave", (stanza) => own(stanza) && stanza.attrs.type === "unavailable");
  console.log("left");
  await xmpp.stop();
}

play().catch(fail);
