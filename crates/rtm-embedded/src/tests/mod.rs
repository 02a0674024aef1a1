//! Behaviour of the embedded service, as scripts: what is called when, and what everybody then sees.

mod attributes;
mod channels;
mod counts;
mod errors;
mod errors_table;
mod invariants;
mod invitations;
mod invitations_lost;
mod link;
mod peers;
mod presence;
mod rates;
mod recovery;
mod script;
mod session;
mod world;
