%%% The users of a host in rooms that are on several servers at once (XEP-0282).
%%%
%%% Hands what users send to rooms elsewhere, and what those rooms send to them, to the netjoin that is connected as an
%%% external component. While there is none it hands over nothing: rooms elsewhere serve the users themselves, as ever.
%%% docs/ejabberd.md says how to set it up, docs/attach.md what is said.
%%%
%%% netjoin is licensed under MIT or Apache-2.0, at your choice.

-module(mod_netjoin).
-behaviour(gen_mod).
-behaviour(gen_server).

-export([start/2, stop/1, reload/3, depends/2, mod_options/1, mod_opt_type/1, mod_doc/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([filter_packet/1, component_send_packet/1, component_connected/1, component_disconnected/2,
         session_gone/3]).

-include("logger.hrl").

-define(ATTACH, <<"urn:netjoin:attach:0">>).
-define(VERSION, <<"0">>).
-define(MUC, <<"http://jabber.org/protocol/muc">>).
-define(MUC_USER, <<"http://jabber.org/protocol/muc#user">>).
%% Rooms of one session that are remembered; in more of them it is not taken over.
-define(ROOMS_MAX, 1000).

%% One table for all hosts, so that whoever routes a packet need ask nobody:
%%   {{host, Host}, Component}          the module runs there
%%   {{component, Component}, Host}
%%   {{attached, Host}, Pid}            the process of the component's stream, while netjoin is attached
%%   {{services, Host}, [Domain]}       those it may be a replica of; <<"*">> for all
%%   {{handed, Host, Domain}}           a service whose rooms are handed over
%%   {{plain, Host, Domain}, Until}     one that is not distributed, and until when that is believed, in seconds
%%   {{seat, User, Room}, Nick, Sent, Heard}
%%       Nick is undefined while the user has only asked to enter; Sent, the last presence he sent; Heard, when the
%%       room last said something, in seconds
-define(TABLE, ?MODULE).

%%% gen_mod

start(Host, Opts) ->
    gen_mod:start_child(?MODULE, Host, Opts).

stop(Host) ->
    gen_mod:stop_child(?MODULE, Host).

reload(Host, NewOpts, OldOpts) ->
    case gen_mod:get_opt(component, NewOpts) =:= gen_mod:get_opt(component, OldOpts) of
        true -> ok;
        false -> stop(Host), start(Host, NewOpts)
    end.

depends(_Host, _Opts) ->
    [].

mod_options(Host) ->
    [{component, <<"netjoin.", Host/binary>>}].

mod_opt_type(component) ->
    econf:host().

mod_doc() ->
    #{desc => "Hands what users send to rooms elsewhere to netjoin, which is connected as the component.",
      opts => [{component, #{value => "Host", desc => "The component's domain; 'netjoin.@HOST@' by default."}}]}.

%%% The process of a host: it owns nothing but the hooks

init([Host, Opts]) ->
    process_flag(trap_exit, true),
    Component = gen_mod:get_opt(component, Opts),
    table(),
    ets:insert(?TABLE, [{{host, Host}, Component}, {{component, Component}, Host}, {{services, Host}, [<<"*">>]}]),
    ejabberd_hooks:add(filter_packet, ?MODULE, filter_packet, 90),
    ejabberd_hooks:add(component_send_packet, ?MODULE, component_send_packet, 50),
    ejabberd_hooks:add(component_connected, ?MODULE, component_connected, 50),
    ejabberd_hooks:add(component_disconnected, ?MODULE, component_disconnected, 50),
    ejabberd_hooks:add(sm_remove_connection_hook, Host, ?MODULE, session_gone, 50),
    attach_if_connected(Host, Component),
    {ok, Host}.

%% The table outlives the process of the host that was first: it belongs to a process of its own.
table() ->
    case ets:whereis(?TABLE) of
        undefined ->
            Self = self(),
            spawn(fun() ->
                      Made = (catch ets:new(?TABLE, [named_table, public, ordered_set, {read_concurrency, true}])),
                      Self ! {table, Made},
                      receive stop -> ok end
                  end),
            receive {table, _} -> ok end;
        _ ->
            ok
    end.

attach_if_connected(Host, Component) ->
    {ok, Routes} = (ejabberd_router:get_backend()):find_routes(Component),
    case [Pid || Route <- Routes, Pid <- tuple_to_list(Route), is_pid(Pid)] of
        [Pid | _] -> attach(Host, Component, Pid);
        [] -> ok
    end.

handle_call(_Request, _From, Host) ->
    {reply, ok, Host}.

handle_cast(_Request, Host) ->
    {noreply, Host}.

handle_info(_Info, Host) ->
    {noreply, Host}.

terminate(_Reason, Host) ->
    detach(Host),
    ejabberd_hooks:delete(sm_remove_connection_hook, Host, ?MODULE, session_gone, 50),
    [{_, Component}] = ets:lookup(?TABLE, {host, Host}),
    ets:delete(?TABLE, {host, Host}),
    ets:delete(?TABLE, {component, Component}),
    case ets:match(?TABLE, {{host, '$1'}, '_'}, 1) of
        '$end_of_table' ->
            ejabberd_hooks:delete(filter_packet, ?MODULE, filter_packet, 90),
            ejabberd_hooks:delete(component_send_packet, ?MODULE, component_send_packet, 50),
            ejabberd_hooks:delete(component_connected, ?MODULE, component_connected, 50),
            ejabberd_hooks:delete(component_disconnected, ?MODULE, component_disconnected, 50);
        _ ->
            ok
    end.

%%% Attaching, and stepping aside

%% In the process of the component's stream.
component_connected(Component) ->
    case ets:lookup(?TABLE, {component, Component}) of
        [{_, Host}] -> attach(Host, Component, self());
        [] -> ok
    end.

component_disconnected(Component, _Reason) ->
    case ets:lookup(?TABLE, {component, Component}) of
        [{_, Host}] -> detach(Host);
        [] -> ok
    end.

%% Tells netjoin who is in which room, and hands everything over behind that.
attach(Host, Component, Pid) ->
    ets:match_delete(?TABLE, {{handed, Host, '_'}}),
    Seats = [{User, Room, Nick} || {{seat, User, Room}, Nick, _, _} <- seats(Host),
                                   Nick =/= undefined, may_hand(Host, domain(Room))],
    lists:foreach(fun({_, Room, _}) -> ets:insert(?TABLE, {{handed, Host, domain(Room)}}) end, Seats),
    Occupants = [el(<<"occupant">>, [{<<"jid">>, User}, {<<"in">>, <<Room/binary, "/", Nick/binary>>}], [])
                 || {User, Room, Nick} <- Seats],
    Attach = el(<<"attach">>, [{<<"xmlns">>, ?ATTACH}, {<<"version">>, ?VERSION}], Occupants),
    Iq = el(<<"iq">>, [{<<"type">>, <<"set">>}, {<<"id">>, p1_rand:get_string()},
                       {<<"from">>, Host}, {<<"to">>, Component}], [Attach]),
    Pid ! {route, decode(Iq)},
    ets:insert(?TABLE, {{attached, Host}, Pid}),
    ?INFO_MSG("netjoin at ~ts is told of ~b occupants", [Component, length(Seats)]).

%% The rooms serve the users themselves from now on, who enter anew without their doing.
detach(Host) ->
    case ets:take(?TABLE, {attached, Host}) of
        [] ->
            ok;
        [_] ->
            Seats = [Seat || {{seat, _, Room}, _, _, _} = Seat <- seats(Host), is_handed(Host, domain(Room))],
            ets:match_delete(?TABLE, {{handed, Host, '_'}}),
            ?WARNING_MSG("netjoin is not connected: rooms elsewhere serve ~b occupants of ~ts themselves",
                         [length(Seats), Host]),
            lists:foreach(fun(Seat) -> ejabberd_router:route(entering(Seat)) end, Seats)
    end.

%% The user's last presence in the room as one that enters, with what was said since the room was last heard.
entering({{seat, User, Room}, Nick, {xmlel, _, Attrs, Els}, Heard}) ->
    {Muc, Rest} = lists:partition(fun(El) -> is(El, <<"x">>, ?MUC) end, Els),
    Password = [Child || {xmlel, _, _, Children} <- Muc, {xmlel, <<"password">>, _, _} = Child <- Children],
    {To, History} =
        case Nick of
            undefined ->
                {proplists:get_value(<<"to">>, Attrs), []};
            _ ->
                Seconds = integer_to_binary(erlang:system_time(second) - Heard + 1),
                {<<Room/binary, "/", Nick/binary>>, [el(<<"history">>, [{<<"seconds">>, Seconds}], [])]}
        end,
    X = el(<<"x">>, [{<<"xmlns">>, ?MUC}], Password ++ History),
    Kept = [Attr || {Name, _} = Attr <- Attrs, Name =/= <<"from">>, Name =/= <<"to">>],
    decode({xmlel, <<"presence">>, [{<<"from">>, User}, {<<"to">>, To} | Kept], Rest ++ [X]}).

session_gone(_Sid, User, _Info) ->
    ets:match_delete(?TABLE, {{seat, jid:encode(jid:tolower(User)), '_'}, '_', '_', '_'}).

%%% What netjoin says to this host itself; what comes from it is marked, so as not to be handed over again

component_send_packet({drop, State}) ->
    {drop, State};
component_send_packet({Packet, State}) ->
    #{from := From, to := To} = addresses(Packet),
    case ets:lookup(?TABLE, {component, domain_of(From)}) of
        [{_, Host}] ->
            case domain_of(To) =:= Host andalso local_of(To) =:= <<>> andalso told(Host, Packet) of
                true -> {drop, State};
                false -> {xmpp:put_meta(Packet, netjoin, true), State}
            end;
        [] ->
            case handed_by(From, To) of
                true -> {xmpp:put_meta(Packet, netjoin, true), State};
                false -> {Packet, State}
            end
    end.

%% Whether a component says this in the name of somebody else: a user here, or a room elsewhere to one.
handed_by(From, To) ->
    ets:member(?TABLE, {host, domain_of(From)}) orelse ets:member(?TABLE, {host, domain_of(To)}).

told(Host, Packet) ->
    case [El || {xmlel, _, _, _} = El <- els(Packet), xmlns(El) =:= ?ATTACH] of
        [{xmlel, <<"attached">>, Attrs, Services}] ->
            attached(Host, proplists:get_value(<<"version">>, Attrs), Services),
            true;
        [{xmlel, <<"attach">>, _, _}] ->
            ?ERROR_MSG("netjoin does not take this module: ~ts", [error_text(Packet)]),
            detach(Host),
            true;
        [{xmlel, <<"plain">>, Attrs, _}] ->
            Service = proplists:get_value(<<"service">>, Attrs),
            Seconds = binary_to_integer(proplists:get_value(<<"seconds">>, Attrs)),
            ets:insert(?TABLE, {{plain, Host, Service}, erlang:system_time(second) + Seconds}),
            ets:delete(?TABLE, {handed, Host, Service}),
            true;
        _ ->
            case element(1, Packet) =:= iq andalso xmpp:get_type(Packet) =:= error of
                true ->
                    ?ERROR_MSG("netjoin does not take this module: ~ts", [error_text(Packet)]),
                    detach(Host),
                    true;
                false ->
                    false
            end
    end.

attached(Host, ?VERSION, Services) ->
    Names = [proplists:get_value(<<"jid">>, Attrs) || {xmlel, <<"service">>, Attrs, _} <- Services],
    ets:insert(?TABLE, {{services, Host}, Names}),
    Handed = [Domain || {{handed, _, Domain}} <- ets:match_object(?TABLE, {{handed, Host, '_'}})],
    [ets:delete(?TABLE, {handed, Host, Domain}) || Domain <- Handed, not may_hand(Host, Domain)],
    ok;
attached(Host, Version, _) ->
    ?ERROR_MSG("netjoin speaks version ~ts with this module, which speaks ~ts: update one", [Version, ?VERSION]),
    detach(Host).

error_text(Packet) ->
    case xmpp:get_error(Packet) of
        undefined -> <<"no reason given">>;
        Error -> xmpp:format_stanza_error(Error)
    end.

%%% Every packet that this server routes comes by here

filter_packet(drop) ->
    drop;
filter_packet(Packet) ->
    #{from := From, to := To} = addresses(Packet),
    case {ets:member(?TABLE, {host, domain_of(From)}), ets:member(?TABLE, {host, domain_of(To)})} of
        {true, false} -> sent(Packet, From, To);
        {false, true} -> heard(Packet, From, To);
        _ -> Packet
    end.

%% What a user sends to a room: taken note of, and handed over where netjoin has the room.
sent(Packet, From, To) ->
    Host = domain_of(From),
    Domain = domain_of(To),
    case xmpp:get_meta(Packet, netjoin, false) orelse local_of(To) =:= <<>> orelse local_of(From) =:= <<>>
        orelse ejabberd_router:is_my_route(Domain) of
        true ->
            Packet;
        false ->
            note_sent(Packet, Host, From, To),
            hand_over(Packet, Host, Domain)
    end.

note_sent(Packet, Host, From, To) ->
    {User, Room} = {full(From), bare(To)},
    Key = {seat, User, Room},
    case element(1, Packet) =:= presence andalso resource_of(To) =/= <<>> andalso xmpp:get_type(Packet) of
        available ->
            case {ets:lookup(?TABLE, Key), [El || El <- els(Packet), is(El, <<"x">>, ?MUC)]} of
                {[], []} -> ok;
                {[{_, Nick, _, Heard}], _} -> ets:insert(?TABLE, {Key, Nick, xmpp:encode(Packet), Heard});
                {[], _} -> remember({Key, undefined, xmpp:encode(Packet), erlang:system_time(second)})
            end,
            begin_handing(Host, Room, ets:member(?TABLE, Key));
        unavailable ->
            ets:delete(?TABLE, Key);
        _ ->
            ok
    end.

begin_handing(Host, Room, true) ->
    case ets:member(?TABLE, {attached, Host}) andalso may_hand(Host, domain(Room)) of
        true -> ets:insert(?TABLE, {{handed, Host, domain(Room)}});
        false -> ok
    end;
begin_handing(_, _, false) ->
    ok.

%% What a room sends to a user: handed over where it does not come from netjoin, else taken note of on its way.
heard(Packet, From, To) ->
    Host = domain_of(To),
    Domain = domain_of(From),
    case local_of(From) =:= <<>> orelse ejabberd_router:is_my_route(Domain) of
        true ->
            Packet;
        false ->
            case xmpp:get_meta(Packet, netjoin, false) of
                true -> note_heard(Packet, From, To), Packet;
                false ->
                    case hand_over(Packet, Host, Domain) of
                        drop -> drop;
                        _ -> note_heard(Packet, From, To), Packet
                    end
            end
    end.

note_heard(Packet, From, To) ->
    Key = {seat, full(To), bare(From)},
    case {element(1, Packet), xmpp:get_type(Packet)} of
        {presence, error} ->
            ets:match_delete(?TABLE, {Key, undefined, '_', '_'});
        {presence, Type} ->
            case [X || X <- els(Packet), is(X, <<"x">>, ?MUC_USER), has_status(X, <<"110">>)] of
                [X | _] -> note_own(Key, Type, X, From);
                [] -> ok
            end;
        {message, groupchat} ->
            ets:update_element(?TABLE, Key, {4, erlang:system_time(second)});
        _ ->
            ok
    end.

note_own(Key, available, _, From) ->
    case ets:lookup(?TABLE, Key) of
        [_] -> ets:update_element(?TABLE, Key, {2, resource_of(From)});
        [] -> ok
    end;
note_own(Key, unavailable, X, _) ->
    case has_status(X, <<"303">>) of
        true ->
            {xmlel, _, _, Els} = X,
            Nicks = [proplists:get_value(<<"nick">>, Attrs) || {xmlel, <<"item">>, Attrs, _} <- Els],
            [ets:update_element(?TABLE, Key, {2, Nick}) || Nick <- Nicks, Nick =/= undefined];
        false ->
            ets:delete(?TABLE, Key)
    end;
note_own(_, _, _, _) ->
    ok.

hand_over(Packet, Host, Domain) ->
    case ets:lookup(?TABLE, {attached, Host}) of
        [{_, Pid}] ->
            case is_handed(Host, Domain) of
                true -> Pid ! {route, Packet}, drop;
                false -> Packet
            end;
        [] ->
            Packet
    end.

%%% The table

is_handed(Host, Domain) ->
    ets:member(?TABLE, {handed, Host, Domain}).

may_hand(Host, Domain) ->
    Now = erlang:system_time(second),
    [{_, Services}] = ets:lookup(?TABLE, {services, Host}),
    Allowed = lists:member(<<"*">>, Services) orelse lists:member(Domain, Services),
    case ets:lookup(?TABLE, {plain, Host, Domain}) of
        [{_, Until}] when Now < Until -> false;
        _ -> Allowed
    end.

seats(Host) ->
    Seats = ets:match_object(?TABLE, {{seat, '_', '_'}, '_', '_', '_'}),
    [Seat || {{seat, User, _}, _, _, _} = Seat <- Seats, domain(User) =:= Host].

remember({{seat, User, _}, _, _, _} = Seat) ->
    case ets:select_count(?TABLE, [{{{seat, User, '_'}, '_', '_', '_'}, [], [true]}]) of
        Count when Count < ?ROOMS_MAX -> ets:insert(?TABLE, Seat);
        _ -> ok
    end.

%%% Addresses and elements, without the records of one release

addresses(Packet) ->
    #{from => jid:tolower(xmpp:get_from(Packet)), to => jid:tolower(xmpp:get_to(Packet))}.

local_of({Local, _, _}) -> Local.
domain_of({_, Domain, _}) -> Domain.
resource_of({_, _, Resource}) -> Resource.

full(Address) -> jid:encode(Address).
bare({Local, Domain, _}) -> jid:encode({Local, Domain, <<>>}).

domain(Text) ->
    {_, Domain, _} = jid:tolower(jid:decode(Text)),
    Domain.

els(Packet) ->
    [xmpp:encode(El) || El <- xmpp:get_els(Packet)].

is({xmlel, Name, _, _} = El, Name, Xmlns) -> xmlns(El) =:= Xmlns;
is(_, _, _) -> false.

xmlns({xmlel, _, Attrs, _}) -> proplists:get_value(<<"xmlns">>, Attrs).

has_status({xmlel, _, _, Els}, Code) ->
    lists:any(fun({xmlel, <<"status">>, Attrs, _}) -> proplists:get_value(<<"code">>, Attrs) =:= Code;
                 (_) -> false
              end, Els).

el(Name, Attrs, Els) ->
    {xmlel, Name, Attrs, Els}.

decode(El) ->
    xmpp:decode(El, <<"jabber:client">>, [ignore_els]).
