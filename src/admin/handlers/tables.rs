//! The tables: rows, the conformance matrix, explanation of frames.

use hyper::StatusCode;
use serde_json::{Value as Json, json};

use crate::admin::query::Query;
use crate::admin::reply::{Reply, json, text};
use crate::server::Server;
use analysis::conformance::{Exercised, Open, Report};
use analysis::explain::explain;

/// Returns the comparison pages' entries with their status on each platform, the rows and the limitation codes.
pub fn tables(server: &Server) -> Reply {
    let set = server.sets.current();
    let tables = &set.tables;
    let report = Report::of(tables, &Exercised::default(), &Open::default());
    let codes_of = |codes: &mut dyn Iterator<Item = usize>| -> Vec<Json> {
        codes.map(|code| json!(tables.code_name(code))).collect()
    };
    let entries: Vec<Json> = report
        .entries()
        .map(|entry| {
            let cells: serde_json::Map<String, Json> = entry
                .cells
                .iter()
                .map(|(platform, cell)| ((*platform).to_owned(), json!(cell.status.name())))
                .collect();
            let codes = codes_of(&mut entry.codes.keys().copied());
            json!({ "id": entry.id, "names": entry.names, "cells": cells, "codes": codes })
        })
        .collect();
    let rows: Vec<Json> = tables
        .rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "place": row.place, "status": row.status.name(), "source": row.source,
                "emulation": row.emulation.map(|emulation| emulation.name()),
                "codes": codes_of(&mut row.codes.iter().copied()),
            })
        })
        .collect();
    let codes: serde_json::Map<String, Json> = tables
        .codes
        .iter()
        .map(|code| {
            let shown = json!({ "cause": code.cause, "workaround": code.workaround });
            (code.name.to_string(), shown)
        })
        .collect();
    let profiles: Vec<&str> = tables.profiles.iter().map(|profile| &*profile.name).collect();
    let all = json!({ "profiles": profiles, "platforms": report.platforms, "entries": entries, "rows": rows, "codes": codes });
    json(StatusCode::OK, &all)
}

/// Explains a frame of a profile's family.
pub fn explained(server: &Server, query: &Query, frame: &str) -> Reply {
    let set = server.sets.current();
    let tables = &set.tables;
    let profile = query.text("profile").unwrap_or("web");
    let profile = tables.profiles.iter().find(|known| &*known.name == profile);
    let Some(wire) = profile.and_then(|profile| tables.wire(&profile.family)) else {
        return text(StatusCode::BAD_REQUEST, "no such profile\n");
    };
    match explain(tables, wire, frame.trim(), None) {
        Ok(explanation) => text(StatusCode::OK, explanation.to_string()),
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}
