//! Behaviour of the embedded service as scripts: calls, times and all outputs.

mod attributes;
mod channels;
mod counts;
mod errors;
mod errors_table;
mod invariants;
mod invitations;
mod invitations_disconnected;
mod link;
mod peers;
mod presence;
mod rates;
mod recovery;
mod script;
mod service;
mod session;
