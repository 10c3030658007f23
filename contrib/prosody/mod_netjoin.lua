-- mod_netjoin: the users of this host in rooms that are on several servers at once (XEP-0282).
--
-- Enable it on a VirtualHost. It hands what users send to rooms elsewhere, and what those rooms send to them, to the
-- netjoin that is connected as an external component. While there is none it hands over nothing: rooms elsewhere
-- serve the users themselves, as ever. docs/prosody.md says how to set it up, docs/attach.md what is said.
--
-- netjoin is licensed under MIT or Apache-2.0, at your choice.

local st = require "util.stanza";
local jid = require "util.jid";
local new_id = require "util.id".short;
local hosts = prosody.hosts;

local component_host = module:get_option_string("netjoin_component", "netjoin." .. module.host);

local xmlns_attach = "urn:netjoin:attach:0";
local version = "0";
local xmlns_muc = "http://jabber.org/protocol/muc";
local xmlns_muc_user = xmlns_muc .. "#user";

-- Rooms of one session that are remembered; in more of them it is not taken over.
local rooms_max = 1000;

-- The stream to netjoin while it is attached.
local attached;
-- The services that netjoin may be a replica of: names, or "*".
local services = { ["*"] = true };
-- Services whose rooms are handed over.
local handed = {};
-- Services that are not distributed, and until when that is believed.
local plain = {};
-- Full address -> room -> { nick; presence, the last that the user sent; heard, when the room last said something }.
-- Without nick: the user has asked to enter.
local seats = {};

local function child_with(stanza, name, xmlns)
	return stanza:get_child(name, xmlns);
end

local function is_own(x)
	for status in x:childtags("status") do
		if status.attr.code == "110" then return true; end
	end
	return false;
end

local function new_nick(x)
	for status in x:childtags("status") do
		if status.attr.code == "303" then
			local item = x:get_child("item");
			return item and item.attr.nick;
		end
	end
end

local function seat_of(full, room)
	return seats[full] and seats[full][room];
end

local function forget(full, room)
	local own = seats[full];
	if not own then return; end
	own[room] = nil;
	if next(own) == nil then seats[full] = nil; end
end

local function remember(full, room, seat)
	local own = seats[full];
	if not own then
		own = {};
		seats[full] = own;
	end
	if not own[room] then
		local count = 0;
		for _ in pairs(own) do count = count + 1; end
		if count >= rooms_max then return; end
	end
	own[room] = seat;
end

local function may_hand(domain)
	local until_ = plain[domain];
	if until_ then
		if os.time() < until_ then return false; end
		plain[domain] = nil;
	end
	return services["*"] or services[domain] or false;
end

-- What a user sends to a room: taken note of, and handed over where netjoin has the room.
local function sent(event)
	local stanza = event.stanza;
	local to, from = stanza.attr.to, stanza.attr.from;
	local node, domain, nick = jid.split(to);
	if not (node and from) or hosts[domain] then return; end
	local room = node .. "@" .. domain;
	if stanza.name == "presence" and nick then
		local kind = stanza.attr.type;
		local seat = seat_of(from, room);
		if kind == nil and (seat or child_with(stanza, "x", xmlns_muc)) then
			seat = seat or {};
			seat.presence = st.clone(stanza);
			remember(from, room, seat);
			if attached and not handed[domain] and may_hand(domain) then
				handed[domain] = true;
			end
		elseif kind == "unavailable" and seat then
			forget(from, room);
		end
	end
	if attached and handed[domain] then
		attached.send(stanza);
		return true;
	end
end

-- What a room sends to a user: handed over where it does not come from netjoin, else taken note of on its way.
local function heard(event)
	local stanza = event.stanza;
	local node, domain, nick = jid.split(stanza.attr.from);
	if not node or hosts[domain] then return; end
	if attached and event.origin ~= attached and handed[domain] then
		attached.send(stanza);
		return true;
	end
	local to, room = stanza.attr.to, node .. "@" .. domain;
	local seat = seat_of(to, room);
	if stanza.name == "presence" and nick then
		local kind = stanza.attr.type;
		local x = child_with(stanza, "x", xmlns_muc_user);
		if kind == "error" and seat and not seat.nick then
			forget(to, room);
		elseif x and is_own(x) and kind == nil then
			seat = seat or {};
			seat.nick, seat.heard = nick, seat.heard or os.time();
			remember(to, room, seat);
		elseif x and is_own(x) and kind == "unavailable" and seat then
			local renamed = new_nick(x);
			if renamed then
				seat.nick = renamed;
			else
				forget(to, room);
			end
		end
	elseif seat and stanza.name == "message" and stanza.attr.type == "groupchat" then
		seat.heard = os.time();
	end
end

-- The user's last presence in the room as one that enters, with what was said since the room was last heard.
local function entering(full, room, seat)
	local presence = seat.presence and st.clone(seat.presence) or st.presence();
	local x = presence:get_child("x", xmlns_muc);
	local password = x and x:get_child_text("password");
	presence:maptags(function (tag)
		if tag.name == "x" and tag.attr.xmlns == xmlns_muc then return nil; end
		return tag;
	end);
	presence.attr.from = full;
	presence:tag("x", { xmlns = xmlns_muc });
	if password then presence:text_tag("password", password); end
	if seat.nick then
		presence.attr.to = room .. "/" .. seat.nick;
		presence:tag("history", { seconds = tostring(os.time() - seat.heard + 1) }):up();
	end
	presence:up();
	return presence;
end

-- Steps aside: the rooms serve the users themselves from now on, who enter anew without their doing.
local function detach()
	if not attached then return; end
	attached = nil;
	local were_handed = handed;
	handed = {};
	local count = 0;
	for full, rooms in pairs(seats) do
		for room, seat in pairs(rooms) do
			if were_handed[jid.host(room)] then
				count = count + 1;
				module:send(entering(full, room, seat));
			end
		end
	end
	module:log("warn", "netjoin is not connected: rooms elsewhere serve %d occupants themselves", count);
end

local function refused(text)
	module:log("error", "netjoin does not take this module: %s", text or "no reason given");
	detach();
end

-- Begins: tells netjoin who is in which room, and hands everything over behind that.
local function attach(event)
	attached = event.session;
	handed = {};
	local request = st.iq({ type = "set", id = new_id(), from = module.host, to = component_host })
		:tag("attach", { xmlns = xmlns_attach, version = version });
	local count = 0;
	for full, rooms in pairs(seats) do
		for room, seat in pairs(rooms) do
			local domain = jid.host(room);
			if seat.nick and may_hand(domain) then
				handed[domain] = true;
				count = count + 1;
				request:tag("occupant", { jid = full, ["in"] = room .. "/" .. seat.nick }):up();
			end
		end
	end
	local stream = attached;
	module:send_iq(request):next(function (answer)
		if attached ~= stream then return; end
		local taken = answer.stanza:get_child("attached", xmlns_attach);
		if not taken or taken.attr.version ~= version then
			return refused("it speaks another version");
		end
		services = {};
		for service in taken:childtags("service") do
			services[service.attr.jid] = true;
		end
		for domain in pairs(handed) do
			if not may_hand(domain) then handed[domain] = nil; end
		end
		module:log("info", "netjoin at %s has taken over %d occupants", component_host, count);
	end, function (error)
		if attached == stream then refused(error and (error.text or error.condition)); end
	end);
end

-- netjoin tells which services need not be handed over.
local function told(event)
	local stanza = event.stanza;
	local left = attached and event.origin == attached and stanza:get_child("plain", xmlns_attach);
	if not left then return; end
	local service, seconds = left.attr.service, tonumber(left.attr.seconds);
	if service and seconds then
		plain[service] = os.time() + seconds;
		handed[service] = nil;
	end
	return true;
end

local function watch()
	local host = hosts[component_host];
	module:hook_object_event(host.events, "component-authenticated", attach);
	module:hook_object_event(host.events, "component-disconnected", function (event)
		if event.session == attached then detach(); end
	end);
	-- The module that takes components may not be loaded there yet.
	local component = host.modules.component;
	if component and component.connected then attach({ session = component.session }); end
end

local function check()
	local host = hosts[component_host];
	if not (host and host.modules.component) then
		module:log("error", "%s is no external component: see docs/prosody.md of netjoin", component_host);
	end
end

for _, kind in ipairs({ "message", "presence", "iq" }) do
	for _, form in ipairs({ "/bare", "/full" }) do
		-- Behind everything else here that has a say in what users send; before everything else in what they are sent,
		-- since it comes by here again from netjoin.
		module:hook("pre-" .. kind .. form, sent, -100);
		module:hook(kind .. form, heard, 1000);
	end
end
module:hook("message/host", told, 10);
module:hook_object_event(prosody.events, "server-started", check);
-- Behind mod_presence, which has rooms told that the session is gone.
module:hook("resource-unbind", function (event)
	seats[event.session.full_jid] = nil;
end, -100);

function module.load()
	if hosts[component_host] then
		watch();
	else
		module:hook_object_event(prosody.events, "host-activated", function (host)
			if host == component_host then watch(); end
		end);
	end
end

function module.unload()
	detach();
end
