"""A user of slixmpp enters a room, answers who speaks, leaves. Prints each step; whoever started it plays the other part.

talk.py HOST PORT AUTHORITY JID PASSWORD ROOM NICK [break]

With `break` the connection breaks once it is in the room, and the session is resumed (XEP-0198).
"""

import asyncio
import sys

import slixmpp

STEP_SECONDS = 20
LINE = "Neither, fair saint, if either thee dislike."


class Talk(slixmpp.ClientXMPP):
    def __init__(self, authority, jid, password):
        super().__init__(jid, password)
        self.ca_certs = authority
        for plugin in ("xep_0030", "xep_0045", "xep_0198", "xep_0199"):
            self.register_plugin(plugin)
        self.heard = asyncio.Queue()
        self.others = 0
        self.add_event_handler("groupchat_message", self.heard.put_nowait)

    async def resume(self, host, port):
        self.transport.abort()
        await self.wait_until("disconnected", STEP_SECONDS)
        resumed = asyncio.ensure_future(self.wait_until("session_resumed", STEP_SECONDS))
        self.connect(host, int(port))
        await resumed
        print("resumed", flush=True)

    async def play(self, host, port, room, nick, breaks):
        muc = self.plugin["xep_0045"]
        await self.wait_until("session_start", STEP_SECONDS)
        print("bound", self.boundjid.full, flush=True)
        if not breaks:
            roster = await self.get_roster(timeout=STEP_SECONDS)
            print("roster", roster["type"], flush=True)
            await self.plugin["xep_0199"].ping(self.boundjid.domain, timeout=STEP_SECONDS)
            print("pong", flush=True)
        self.send_presence()
        await muc.join_muc_wait(room, nick, timeout=STEP_SECONDS)
        print("entered", ",".join(sorted(muc.get_roster(room))), flush=True)
        if breaks:
            await self.resume(host, port)
        spoken = await self.hear(lambda message: message["mucnick"] != nick)
        print("heard", spoken["mucnick"], spoken["body"], flush=True)
        self.send_message(mto=room, mbody=LINE, mtype="groupchat")
        await self.hear(lambda message: message["mucnick"] == nick and message["body"] == LINE)
        print("said", flush=True)
        if breaks and self.others == 1:
            print("once", flush=True)
        muc.leave_muc(room, nick)
        print("left", flush=True)
        await self.disconnect()

    async def hear(self, wanted):
        while True:
            message = await asyncio.wait_for(self.heard.get(), STEP_SECONDS)
            self.others += bool(message["body"] and message["body"] != LINE)
            if message["body"] and wanted(message):
                return message


def main():
    host, port, authority, jid, password, room, nick, *breaks = sys.argv[1:]
    talk = Talk(authority, jid, password)
    talk.connect(host, int(port))
    talk.loop.run_until_complete(talk.play(host, port, room, nick, bool(breaks)))


main()
