//! Tests from outside: a module for each subject.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod api_tables;
mod bad_input;
mod bad_input_native;
mod bad_traces;
mod bursts;
mod check;
mod cli;
mod connections;
mod contract;
mod cross_family;
mod docs;
mod doctor;
mod fixtures;
mod har;
mod http;
mod layers;
mod link;
mod live;
mod live_url;
mod mutations;
mod native;
mod record_fixtures;
mod redaction;
mod replay;
mod rest;
mod secrets;
mod sessions;
mod tls;
mod trace_schema;
mod traces;
mod udp;
mod webhook;
mod wire;
