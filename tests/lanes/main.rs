//! Lanes: the SDKs of the vendor and the Web agent, where Node, Python and Chromium are installed.

#[path = "../support/mod.rs"]
mod support;

mod agent_web;
mod console;
mod vendor_agent_web;
mod vendor_chromium;
mod vendor_python;
mod vendor_web;
