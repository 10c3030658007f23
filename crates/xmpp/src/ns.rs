//! Namespace names, each with the document that defines it.

/// Content of client streams; inside netjoin every stanza is in it, whatever stream it came by (RFC 6120 4.8.2).
pub const CLIENT: &str = "jabber:client";
/// Content of server streams, RFC 6120 4.8.2; mapped to [`CLIENT`] at the edge.
pub const SERVER: &str = "jabber:server";
/// Content of component streams, XEP-0114; mapped to [`CLIENT`] at the edge.
pub const COMPONENT: &str = "jabber:component:accept";
/// The stream itself, RFC 6120 4.8.1.
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// Conditions of stream errors, RFC 6120 4.9.
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Conditions of stanza errors, RFC 6120 8.3.
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS, RFC 6120 5.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL, RFC 6120 6.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Resource binding, RFC 6120 7.
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Session establishment of RFC 3921 3, optional ever since.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Roster, RFC 6121 2.
pub const ROSTER: &str = "jabber:iq:roster";
/// Subscription pre-approval, RFC 6121 3.4.
pub const SUB: &str = "urn:xmpp:features:pre-approval";
/// Channel-binding types offered, XEP-0440.
pub const SASL_CB: &str = "urn:xmpp:sasl-cb:0";
/// Dialback, XEP-0220.
pub const DIALBACK: &str = "jabber:server:dialback";
/// The stream feature that announces dialback, XEP-0220 2.3.
pub const DIALBACK_FEATURE: &str = "urn:xmpp:features:dialback";
/// Data forms, XEP-0004.
pub const FORMS: &str = "jabber:x:data";
/// Ad-hoc commands, XEP-0050.
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// Validation of data forms, XEP-0122.
pub const VALIDATE: &str = "http://jabber.org/protocol/xdata-validate";
/// Service discovery of entities, XEP-0030.
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Service discovery of items, XEP-0030.
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Multi-user chat, XEP-0045.
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// What a room says to and hears from users, XEP-0045.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// Administration of a room, XEP-0045 8 and 9.
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// Ownership of a room, XEP-0045 10.
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// FORM_TYPE of registration with a room and its approval, XEP-0045 16.5.1.
pub const MUC_REGISTER: &str = "http://jabber.org/protocol/muc#register";
/// Asking a service for a room name that nobody has, XEP-0307.
pub const MUC_UNIQUE: &str = "http://jabber.org/protocol/muc#unique";
/// FORM_TYPE of the room configuration, XEP-0045 16.5.3.
pub const MUC_ROOMCONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// FORM_TYPE of extended room information, XEP-0045 16.5.4.
pub const MUC_ROOMINFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// FORM_TYPE of voice requests, XEP-0045 7.13 and 16.5.2.
pub const MUC_REQUEST: &str = "http://jabber.org/protocol/muc#request";
/// Direct invitations, XEP-0249.
pub const CONFERENCE: &str = "jabber:x:conference";
/// What a server's module and the replica that serves its users say to each other: `docs/attach.md`.
pub const ATTACH: &str = "urn:netjoin:attach:0";
/// Result sets, XEP-0059.
pub const RSM: &str = "http://jabber.org/protocol/rsm";
/// In-band registration, XEP-0077.
pub const REGISTER: &str = "jabber:iq:register";
/// The stream feature that announces registration, XEP-0077 8.
pub const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
/// Software version, XEP-0092.
pub const VERSION: &str = "jabber:iq:version";
/// Chat states, XEP-0085.
pub const CHATSTATES: &str = "http://jabber.org/protocol/chatstates";
/// Ping, XEP-0199.
pub const PING: &str = "urn:xmpp:ping";
/// Delayed delivery, XEP-0203.
pub const DELAY: &str = "urn:xmpp:delay";
/// Forwarded stanzas, XEP-0297.
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// Message archives, XEP-0313.
pub const MAM: &str = "urn:xmpp:mam:2";
/// Stanza ids, XEP-0359.
pub const SID: &str = "urn:xmpp:sid:0";
/// Self-ping announced by a room, XEP-0410.
pub const SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
/// Occupant ids, XEP-0421.
pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
/// Message moderation, XEP-0425.
pub const MODERATE: &str = "urn:xmpp:message-moderate:1";
/// Stream management, XEP-0198.
pub const SM: &str = "urn:xmpp:sm:3";
/// The stream feature that announces roster versions, XEP-0237 2.1.
pub const ROSTER_VERSIONS: &str = "urn:xmpp:features:rosterver";
/// Copies for a user's other sessions, XEP-0280.
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// Blocking, XEP-0191.
pub const BLOCKING: &str = "urn:xmpp:blocking";
/// Why a stanza to somebody who is blocked is refused, XEP-0191 3.3.
pub const BLOCKING_ERRORS: &str = "urn:xmpp:blocking:errors";
/// A feature of a server that keeps messages for who is not there, XEP-0160.
pub const OFFLINE: &str = "msgoffline";
/// What clients can, in presence, XEP-0115.
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// Pubsub, XEP-0060; a user's own, XEP-0163.
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
/// What owners of nodes ask, XEP-0060 8.
pub const PUBSUB_OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
/// Notifications, XEP-0060 7.
pub const PUBSUB_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// What is wrong with a request, XEP-0060 16.
pub const PUBSUB_ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
/// Private XML storage, XEP-0049.
pub const PRIVATE: &str = "jabber:iq:private";
/// vCards, XEP-0054.
pub const VCARD: &str = "vcard-temp";
/// Client state indication, XEP-0352.
pub const CSI: &str = "urn:xmpp:csi:0";
/// Streams that come by WebSocket, RFC 7395.
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
/// Limits announced on a stream, XEP-0478.
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";
/// What XEP-0282 shows.
pub const DMUC: &str = "urn:xmpp:tmp:dmuc:0";
/// What netjoin adds to it; `docs/wire.md`.
pub const NETJOIN: &str = "urn:netjoin:dmuc:0";
