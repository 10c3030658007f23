// What xmpp.js counts on, and node 18 has not of itself.

import { webcrypto } from "node:crypto";
import { WebSocket } from "ws";

globalThis.crypto ??= webcrypto;
globalThis.WebSocket ??= WebSocket;
