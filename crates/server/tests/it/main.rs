//! What the server does, seen from outside: through its sockets and its command line.

mod commands;
mod init;
mod login;
mod program;
mod site;
mod user;
