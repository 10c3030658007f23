"""A user of slixmpp who does what he is told: see `crates/interop/src/matrix/person.rs` for the orders and the answers.

acts.py {"host": …, "port": …, "authority": …, "jid": …, "password": …, "room": …, …}
"""

import asyncio
import json
import sys

import slixmpp

STEP_SECONDS = 20


class Acts(slixmpp.ClientXMPP):
    def __init__(self, host, port, authority, jid, password, room, **_):
        super().__init__(jid, password)
        self.ca_certs = authority
        self.place, self.address = room, (host, port)
        self.lines, self.notices = [], []
        for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0203"):
            self.register_plugin(plugin)
        self.muc = self.plugin["xep_0045"]
        self.add_event_handler("groupchat_message", self.heard)
        self.add_event_handler(f"muc::{room}::self-presence", self.about_me)
        self.add_event_handler("message_error", self.refused)

    def heard(self, message):
        if message["mucnick"]:
            self.lines.append([message["mucnick"], message["body"]])
        else:
            self.notices.append(message["body"])

    def about_me(self, presence):
        codes = presence["muc"]["status_codes"]
        if presence["type"] == "unavailable" and 303 not in codes:
            self.muc.leave_muc(self.place, presence["from"].resource)
            why = ", ".join(str(code) for code in sorted(codes))
            self.notices.append(f"self-presence: unavailable, {why}")

    def refused(self, message):
        self.notices.append(f"message_error: {message['error']['condition']}")

    async def login(self):
        started = asyncio.ensure_future(self.wait_until("session_start", STEP_SECONDS))
        self.connect(*self.address)
        await started
        self.send_presence()
        tls = self.transport.get_extra_info("ssl_object").version()
        how = f"STARTTLS, {tls}, {self.plugin['feature_mechanisms'].mech.name}"
        return {"version": slixmpp.__version__, "how": how}

    async def do(self, order):
        match order["do"]:
            case "enter":
                await self.muc.join_muc_wait(self.place, order["nick"], maxstanzas=0, timeout=STEP_SECONDS)
            case "say":
                self.send_message(mto=self.place, mbody=order["body"], mtype="groupchat")
            case "rename":
                await self.muc.set_self_nick(self.place, order["nick"], timeout=STEP_SECONDS)
            case "look":
                return self.look()
            case "end":
                await self.disconnect()

    def look(self):
        inside = self.place in self.muc.get_joined_rooms()
        people = self.muc.get_roster(self.place) if inside else []
        away = [nick for nick in people if self.muc.get_jid_property(self.place, nick, "show") == "away"]
        return {"inside": inside, "people": people, "away": away, "lines": self.lines, "notices": self.notices}


def tell(what):
    print(json.dumps(what or {}), flush=True)


async def act(user):
    tell(await user.login())
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = json.loads(line)
        try:
            tell(await user.do(order))
        except Exception as error:  # whatever the library says is what came of the order
            tell({"failed": f"{type(error).__name__}: {error}"})
        if order["do"] == "end":
            break


user = Acts(**json.loads(sys.argv[1]))
user.loop.run_until_complete(act(user))
