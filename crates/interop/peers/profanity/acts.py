"""A user of profanity, in a terminal of tmux, who does what he is told: see `crates/interop/src/matrix/person.rs` for the
orders and the answers. What he looks at is the screen.

acts.py {"folder": …, "host": …, "port": …, "authority": …, "jid": …, "password": …, "room": …, …}
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# Wide enough that no line is wrapped, long enough that none leaves the screen.
COLUMNS, ROWS = 320, 200
STEP_SECONDS = 30
LOOK_SECONDS = 0.1
SHOWS = re.compile(r"\+\+ (\S+) is (away|online)")
SETTINGS = """
[ui]
splash=false
time.console=off
time.muc=off
statuses.muc=all
titlebar.muc.title.jid=true
"""


class Acts:
    def __init__(self, folder, host, port, authority, jid, password, room, **_):
        self.jid, self.password, self.room, self.address = jid, password, room, (host, port)
        self.notices = {}
        folder = Path(folder)
        settings = folder / "config/profanity"
        settings.mkdir(parents=True)
        (settings / "profrc").write_text(SETTINGS)
        home = {"HOME": folder, "XDG_CONFIG_HOME": folder / "config", "XDG_DATA_HOME": folder / "data"}
        home |= {"SSL_CERT_FILE": authority, "LC_ALL": "C.UTF-8"}
        self.env = os.environ | {name: str(value) for name, value in home.items()}
        self.tmux = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        self.call("new-session", "-d", *size, "profanity", "--log", "ERROR")

    def call(self, *what):
        return subprocess.run(self.tmux + list(what), env=self.env, check=True, capture_output=True, text=True).stdout

    def type(self, text):
        self.call("send-keys", "-l", text)
        self.call("send-keys", "Enter")

    def screen(self):
        return [line.rstrip() for line in self.call("capture-pane", "-p").splitlines()]

    def wait_for(self, what, found):
        end = time.monotonic() + STEP_SECONDS
        while not found(screen := self.screen()):
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: {[line for line in screen if line]}")
            time.sleep(LOOK_SECONDS)

    def login(self):
        self.wait_for("the prompt", lambda screen: screen[0].endswith("[offline]"))
        host, port = self.address
        self.type(f"/connect {self.jid} server {host} port {port} tls force")
        self.wait_for("the password's prompt", lambda screen: any("Enter password:" in line for line in screen))
        self.type(self.password)
        self.wait_for("online", lambda screen: screen[0].endswith("[TLS] [online]"))
        version = subprocess.run(["profanity", "--version"], check=True, capture_output=True, text=True).stdout
        return {"version": version.splitlines()[0].split()[-1], "how": "STARTTLS, shows [TLS]"}

    def do(self, order):
        match order["do"]:
            case "enter":
                self.type(f"/join {self.room} nick {order['nick']}")
                self.wait_for("the room", lambda screen: is_inside(screen, self.room))
            case "say":
                self.type(order["body"])
            case "rename":
                self.type(f"/nick {order['nick']}")
            case "bookmark":
                self.type("/bookmark")
                self.wait_for("the bookmark", lambda screen: any("Bookmark added" in line for line in screen))
            case "show":
                # A room that one is in by a bookmark is behind the console.
                self.wait_for("the room's window", lambda screen: "-2-" in screen[-2] or "[2]" in screen[-2])
                self.type("/win 2")
                self.wait_for("the room", lambda screen: is_inside(screen, self.room))
            case "look":
                return self.look()
            case "end":
                self.type("/disconnect")
                self.wait_for("offline", lambda screen: screen[0].endswith("[offline]"))

    def look(self):
        screen = self.screen()
        inside = is_inside(screen, self.room)
        column = screen[1].rindex("Moderators") if inside else COLUMNS
        room = screen[1:-2]  # between the title and the status bar with the line one types in
        people = [line[column:].strip() for line in room if line[column:].startswith("  ")]
        shown = [line for line in (line[:column].strip() for line in room) if line]
        said = [(line, re.match(r"(\S+): (.*)", line)) for line in shown]
        lines = [list(match.groups()) for _, match in said if match and inside]
        # The room's window closes when one is put out; the console says so.
        news = [line for line, match in said if not match and (inside or line.startswith("<-"))]
        shows = [SHOWS.match(line) for line in news]
        self.notices |= dict.fromkeys(
            line for line, show in zip(news, shows) if not show and not line.startswith("---")
        )
        last = dict(show.groups() for show in shows if show)
        away = [nick for nick in people if last.get(nick) == "away"]
        return {"inside": inside, "people": people, "away": away, "lines": lines, "notices": list(self.notices)}

    def close(self):
        subprocess.run(self.tmux + ["kill-server"], check=False, capture_output=True)


def is_inside(screen, room):
    return room in screen[0] and "Moderators" in screen[1]


def tell(what):
    print(json.dumps(what or {}), flush=True)


def act(user):
    tell(user.login())
    for line in sys.stdin:
        order = json.loads(line)
        try:
            tell(user.do(order))
        except Exception as error:  # whatever is on the screen is what came of the order
            tell({"failed": f"{type(error).__name__}: {error}"})
        if order["do"] == "end":
            break


user = Acts(**json.loads(sys.argv[1]))
try:
    act(user)
finally:
    user.close()
