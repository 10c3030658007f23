//! What the server does, seen from outside: through its sockets and its command line.

mod bad_servers;
mod blocking;
mod commands;
mod component;
mod dns;
mod hostile;
mod init;
mod links;
mod login;
mod program;
mod resume;
mod rooms;
mod servers;
mod site;
mod user;
mod websocket;
