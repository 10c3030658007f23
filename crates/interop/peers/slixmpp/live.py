"""A user of slixmpp who lives in a room for as long as wanted. Reads what to do, a JSON object a line, and prints what
befalls, likewise: presence, messages and errors of the room, in the order in which the library hands them out.

live.py HOST PORT AUTHORITY JID PASSWORD ROOM NICK
{"do": "enter"}  {"do": "say", "id": "m1"}  {"do": "leave"}  {"do": "archive"}  {"do": "end"}
"""

import asyncio
import json
import sys

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout

MUC_USER = "{http://jabber.org/protocol/muc#user}"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"
PAGE = 100
IQ_SECONDS = 20


class Live(slixmpp.ClientXMPP):
    def __init__(self, authority, jid, password, room, nick):
        super().__init__(jid, password)
        self.ca_certs = authority
        self.room, self.nick = room, nick
        for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0313"):
            self.register_plugin(plugin)
        self.add_event_handler("message", self.message)
        self.add_event_handler("message_error", self.error)
        self.add_event_handler("presence", self.presence)
        self.add_event_handler("disconnected", lambda _: tell(befell="ended"))

    def presence(self, stanza):
        if stanza["from"].bare != self.room:
            return
        x = stanza.xml.find(MUC_USER + "x")
        codes = [] if x is None else [status.get("code") for status in x.findall(MUC_USER + "status")]
        show = stanza.xml.findtext("{jabber:client}show")
        tell(befell="presence", kind=stanza.xml.get("type"), nick=stanza["from"].resource, show=show, codes=codes)

    def message(self, stanza):
        if stanza["from"].bare == self.room and stanza["type"] == "groupchat":
            tell(befell="message", **described(stanza.xml, self.room))

    def error(self, stanza):
        if stanza["from"].bare == self.room:
            tell(befell="error", id=stanza["id"], condition=stanza["error"]["condition"])

    async def do(self, order):
        muc = self.plugin["xep_0045"]
        match order["do"]:
            case "enter":
                join = self.make_presence(pto=f"{self.room}/{self.nick}")
                join.xml.append(slixmpp.ET.fromstring("<x xmlns='http://jabber.org/protocol/muc'/>"))
                join.send()
            case "say":
                message = self.make_message(mto=self.room, mbody=order["id"], mtype="groupchat")
                message["id"] = order["id"]
                message.send()
            case "leave":
                self.send_presence(pto=f"{self.room}/{self.nick}", ptype="unavailable")
            case "archive":
                tell(befell="archive", rows=await self.archive())

    async def archive(self):
        rows, after = [], None
        while True:
            rsm = {"max": PAGE} if after is None else {"max": PAGE, "after": after}
            answer = await self.plugin["xep_0313"].retrieve(jid=self.room, rsm=rsm, timeout=IQ_SECONDS)
            page = answer["mam"]["results"]
            for row in page:
                said = row["mam_result"]["forwarded"]["stanza"].xml
                rows.append(described(said, self.room) | {"stanza_id": row["mam_result"]["id"]})
            after = answer["mam_fin"]["rsm"]["last"]
            if answer["mam_fin"]["complete"] or not page:
                return rows


def described(message, room):
    ids = [child.get("id") for child in message.findall(STANZA_ID) if child.get("by") == room]
    body = message.findtext("{jabber:client}body")
    nick = slixmpp.JID(message.get("from")).resource
    return {"stanza_id": ids[0] if ids else None, "id": message.get("id"), "nick": nick, "body": body}


def tell(**what):
    print(json.dumps(what), flush=True)


async def live(user):
    await user.wait_until("session_start", IQ_SECONDS)
    user.send_presence()
    tell(befell="online")
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        if order["do"] == "end":
            break
        try:
            await user.do(order)
        except (IqError, IqTimeout) as error:
            tell(befell="failed", do=order["do"], why=str(error))
    await user.disconnect()


def main():
    host, port, authority, jid, password, room, nick = sys.argv[1:]
    user = Live(authority, jid, password, room, nick)
    user.connect(host, int(port))
    user.loop.run_until_complete(live(user))


main()
