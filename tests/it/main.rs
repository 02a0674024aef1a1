//! Tests from outside: a module for each subject.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod api;
mod api_tables;
mod attr_order;
mod bad_input;
mod bad_input_native;
mod bad_traces;
mod bursts;
mod call;
mod check;
mod citations;
mod cli;
mod connections;
mod contract;
mod cross_family;
mod cut_traces;
mod deny;
mod docs;
mod doctor;
mod documents;
mod drain;
mod durable;
mod faults;
mod fixtures;
mod fleet;
mod fuzz;
mod guide;
mod har;
mod http;
mod layers;
mod limits;
mod link;
mod live;
mod live_url;
#[cfg(unix)]
mod logs;
mod metrics;
mod native;
mod on_redis;
mod operate;
mod record_fixtures;
mod redaction;
#[cfg(unix)]
mod redis_kinds;
mod reload;
mod replay;
mod report;
mod rest;
mod secrets;
mod sessions;
#[cfg(target_os = "linux")]
mod streams;
mod sunset;
mod text_files;
mod tls;
mod trace_schema;
mod traces;
mod udp;
mod webhook;
mod wire;
