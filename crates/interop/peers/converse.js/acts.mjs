// A user of converse.js, in headless Chromium, who does what he is told by his page: see
// crates/interop/src/matrix/person.rs for the orders and the answers. What he looks at is what the page shows.
//
// acts.mjs {"folder": …, "host": …, "port": …, "authority": …, "jid": …, "password": …, "room": …}
//
// The page is served from loopback. The name of the server leads to the address of a test, port 443 to its HTTPS: the
// page finds the rest by host-meta. The browser trusts the authority as a user makes it: in his own certificates.

import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const STEP_MILLISECONDS = 30_000;
const given = JSON.parse(process.argv[2]);
const domain = given.jid.split("@")[1];
const converse = fileURLToPath(new URL("node_modules/converse.js", import.meta.url));

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>converse.js</title>
<link rel="stylesheet" href="/dist/converse.min.css">
<body class="converse-fullscreen">
<script type="module">
import converse from "/dist/converse.min.js";
converse.initialize({
  view_mode: "fullscreen", assets_path: "/dist/", i18n: "en", authentication: "login",
  discover_connection_methods: true, show_client_info: false, muc_search_service: "${domain}", loglevel: "warn",
});
</script>
</html>`;

const ROOM = `converse-muc[jid="${given.room}"]`;
const TEXT = `${ROOM} textarea.chat-textarea`;
const TYPES = { ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm" };

// The files of the package, some of which are asked for as if they lay beside the page, and the page that loads them.
function serve() {
  const server = createServer((request, answer) => {
    const name = path.normalize(decodeURIComponent(request.url.split("?")[0]));
    if (name === "/") return answer.setHeader("content-type", "text/html").end(PAGE);
    const file = [name, `dist${name}`].map((name) => path.join(converse, name)).find((file) => existsSync(file));
    if (!file) return answer.writeHead(404).end();
    answer.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
    answer.end(readFileSync(file));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

// Chromium takes authorities that a user has added from here.
function trust(home) {
  const store = path.join(home, ".pki/nssdb");
  mkdirSync(store, { recursive: true });
  execFileSync("certutil", ["-d", `sql:${store}`, "-N", "--empty-password"]);
  execFileSync("certutil", ["-d", `sql:${store}`, "-A", "-t", "C,,", "-n", "authority", "-i", given.authority]);
}

async function open() {
  trust(given.folder);
  const browser = await chromium.launchPersistentContext(path.join(given.folder, "profile"), {
    executablePath: process.env.PATH.split(":").map((folder) => path.join(folder, "chromium")).find(existsSync),
    env: { ...process.env, HOME: given.folder },
    headless: true,
    viewport: { width: 1280, height: 1600 },
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
      ...["--disable-component-update", "--disable-sync"],
      `--host-resolver-rules=MAP ${domain}:443 ${given.host}:${given.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
    ],
  });
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.setDefaultTimeout(STEP_MILLISECONDS);
  page.on("pageerror", (error) => console.error(`converse.js: ${error}`));
  await page.goto(`http://127.0.0.1:${await serve()}/`);
  return { browser, page };
}

async function login() {
  await page.fill("#converse-login-jid", given.jid);
  await page.fill("input[name=password]", given.password);
  const socket = page.waitForEvent("websocket");
  await page.press("input[name=password]", "Enter");
  const how = `WebSocket found by host-meta, ${new URL((await socket).url()).protocol.slice(0, -1)}`;
  await page.waitForSelector("converse-user-profile .xmpp-status");
  const { version } = JSON.parse(readFileSync(path.join(converse, "package.json")));
  const [, browser] = (await page.evaluate(() => navigator.userAgent)).match(/Chrome\/(\d+)/);
  return { version: `${version} in Chromium ${browser}`, how };
}

async function type(text) {
  await page.fill(TEXT, text);
  await page.press(TEXT, "Enter");
}

const confirm = () => page.click("form.confirm button[type=submit]");

// Whoever was put out closes the room's tab, and opens it anew.
async function enter({ nick }) {
  if (await page.locator(`${ROOM} converse-muc-disconnected`).count()) {
    await page.hover(".rooms-list .open-room");
    await page.click(".rooms-list .close-room");
    await confirm();
    await page.waitForSelector(ROOM, { state: "detached" });
  }
  await page.click("converse-rooms-list converse-dropdown button");
  await page.click("converse-rooms-list .show-add-muc-modal");
  await page.fill("converse-add-muc-modal input[name=chatroom]", given.room);
  await page.fill("converse-add-muc-modal input[name=nickname]", nick);
  await page.click("converse-add-muc-modal input[type=submit]");
  await page.waitForSelector(TEXT);
}

// Answered once it is online again, be it with the session that it had or with another.
async function reload() {
  const socket = page.waitForEvent("websocket");
  await page.reload();
  await (await socket).waitForEvent("framereceived", ({ payload }) => /^<(resumed|enabled) /.test(payload));
}

// It bookmarks each room that one enters; so the list of bookmarks says.
async function bookmark() {
  await page.click("converse-rooms-list converse-dropdown button");
  await page.click("converse-rooms-list .show-bookmark-list-modal");
  await page.waitForSelector(`converse-bookmark-list-modal [data-room-jid="${given.room}"]`, { state: "attached" });
  await page.keyboard.press("Escape");
  await page.waitForSelector("converse-bookmark-list-modal", { state: "hidden" });
}

// By the room's menu: what one types as /nick works only where the room tells one's own address (XEP-0045 7.2.5).
async function rename({ nick }) {
  await page.click(`${ROOM} converse-muc-heading converse-dropdown button`);
  await page.click(`${ROOM} .open-nickname-modal`);
  await page.fill("converse-muc-nickname-modal input[name=nick]", nick);
  await page.click("converse-muc-nickname-modal input[type=submit]");
}

// What is on the page. A line of one's own counts once the room has sent it back.
function look() {
  const room = document.querySelector(`converse-muc`);
  const all = (what) => [...(room?.querySelectorAll(what) ?? [])];
  const said = all(".chat-msg").filter((e) => e.querySelector(".chat-msg__body--received, .chat-msg__content--them"));
  const line = (e) => [e.dataset.from.split("/")[1], e.querySelector(".chat-msg__text").innerText];
  const lines = said.map(line);
  const word = (e) => e.innerText.trim();
  const away = all(".occupant").filter((e) => e.querySelector(".chat-status").getAttribute("color").includes("away"));
  return {
    inside: Boolean(room?.querySelector("textarea.chat-textarea")),
    people: all(".occupant .occupant-nick").map(word),
    away: away.map((e) => word(e.querySelector(".occupant-nick"))),
    lines: lines.filter(([nick]) => nick),
    notices: [...lines.filter(([nick]) => !nick).map(([, text]) => text), ...all(".chat-info, .disconnect-msg").map(word)],
  };
}

const acts = {
  enter,
  say: ({ body }) => type(body),
  rename,
  look: () => page.evaluate(look),
  bookmark,
  show: async () => {
    await page.click(`.rooms-list .open-room[data-room-jid="${given.room}"]`);
    await page.waitForSelector(TEXT);
  },
  reload,
  picture: async ({ path }) => void (await page.screenshot({ path })),
  end: async () => {
    await page.click("converse-user-profile .show-profile");
    await page.click("converse-profile-modal button.btn-danger");
    await confirm();
    await page.waitForSelector("#converse-login-jid");
  },
};

const { browser, page } = await open();
const tell = (what) => console.log(JSON.stringify(what));
tell(await login());
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  try {
    tell((await acts[order.do](order)) ?? {});
  } catch (error) {
    tell({ failed: String(error) });
  }
  if (order.do === "end") break;
}
await browser.close();
process.exit(0);
