"""Users of slixmpp have their server keep things: bookmarks, a nick, a vCard, messages for who is away. Prints each step.

kept.py HOST PORT AUTHORITY JID PASSWORD OTHER PART

`leaves` keeps them and says something to OTHER, who is away; `finds` is OTHER, who comes; `returns` is the first again.
"""

import asyncio
import sys
from xml.etree import ElementTree

import slixmpp

STEP_SECONDS = 20
BOOKMARKS = "urn:xmpp:bookmarks:1"
ROOM = "orchard@rooms.capulet.irc"
LINE = "It is the east, and Juliet is the sun."


class Kept(slixmpp.ClientXMPP):
    def __init__(self, authority, jid, password):
        super().__init__(jid, password)
        self.ca_certs = authority
        plugins = ("0004", "0030", "0054", "0060", "0115", "0163", "0172", "0199", "0203", "0313")
        for plugin in plugins:
            self.register_plugin(f"xep_{plugin}")
        self.heard = asyncio.Queue()
        self.nicks = asyncio.Queue()
        self.add_event_handler("message", self.heard.put_nowait)
        self.add_event_handler("user_nick_publish", self.nicks.put_nowait)

    async def leaves(self, other):
        options = self["xep_0004"].make_form("submit")
        options.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
        for name, value in (
            ("persist_items", "true"),
            ("max_items", "max"),
            ("send_last_published_item", "never"),
            ("access_model", "whitelist"),
        ):
            options.add_field(var=f"pubsub#{name}", value=value)
        bookmark = ElementTree.Element(f"{{{BOOKMARKS}}}conference", {"autojoin": "true"})
        own = self.boundjid.bare
        await self["xep_0060"].publish(own, BOOKMARKS, id=ROOM, payload=bookmark, options=options, timeout=STEP_SECONDS)
        print("bookmarked", flush=True)
        await self["xep_0172"].publish_nick("Romeo", timeout=STEP_SECONDS)
        print("named", flush=True)
        vcard = self["xep_0054"].make_vcard()
        vcard["FN"] = "Romeo Montague"
        await self["xep_0054"].publish_vcard(vcard, timeout=STEP_SECONDS)
        print("described", flush=True)
        self.send_message(mto=other, mbody=LINE, mtype="chat")
        await self["xep_0199"].ping(self.boundjid.domain, timeout=STEP_SECONDS)
        print("said", flush=True)

    async def finds(self, other):
        message = await asyncio.wait_for(self.heard.get(), STEP_SECONDS)
        print("offline" if message["delay"]["stamp"] else "live", message["body"], flush=True)
        await self.archive()
        vcard = await self["xep_0054"].get_vcard(slixmpp.JID(other), timeout=STEP_SECONDS)
        print("vcard", vcard["vcard_temp"]["FN"], flush=True)

    async def returns(self, other):
        kept = await self["xep_0060"].get_items(self.boundjid.bare, BOOKMARKS, timeout=STEP_SECONDS)
        for item in kept["pubsub"]["items"]:
            print("bookmark", item["id"], item["payload"].get("autojoin"), flush=True)
        event = await asyncio.wait_for(self.nicks.get(), STEP_SECONDS)
        print("nick", event["pubsub_event"]["items"]["item"]["payload"].findtext("."), flush=True)
        await self.archive()

    async def archive(self):
        found = await self["xep_0313"].retrieve(timeout=STEP_SECONDS)
        for message in found["mam"]["results"]:
            print("archived", message["mam_result"]["forwarded"]["stanza"]["body"], flush=True)

    async def play(self, other, part):
        await self.wait_until("session_start", STEP_SECONDS)
        print("bound", self.boundjid.bare, flush=True)
        self.send_presence()
        await getattr(self, part)(other)
        await self.disconnect()


def main():
    host, port, authority, jid, password, other, part = sys.argv[1:]
    kept = Kept(authority, jid, password)
    kept.connect(host, int(port))
    kept.loop.run_until_complete(kept.play(other, part))


main()
