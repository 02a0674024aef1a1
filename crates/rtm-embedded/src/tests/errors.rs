//! Tests of all members of RTM's error enums: reachable, tested elsewhere, or unreachable with a
//! reason.

use std::collections::HashSet;

use rtm::ErrorEnum;

use crate::RtmServiceConfig;
use crate::tests::errors_table::{REACHABLE, TESTED_ELSEWHERE, UNREACHABLE};
use crate::tests::script::{Harness, check};

#[test]
fn reachable_errors_are_returned() {
    for (error, steps) in REACHABLE {
        let mut harness = Harness::new(RtmServiceConfig::default());
        harness.step("users alice bob");
        harness.step("alice join room");
        let seen = steps.iter().map(|step| harness.step(step)).last().unwrap_or_default();
        let is_seen = seen.iter().any(|line| line.ends_with(&format!(" {error}")));
        assert!(is_seen, "{error} by {steps:?}: {seen:?}");
    }
}

#[test]
fn every_error_is_reachable_or_excused() {
    let reached: HashSet<_> = REACHABLE.iter().map(|(error, _)| *error).collect();
    let elsewhere: HashSet<_> = TESTED_ELSEWHERE.iter().copied().collect();
    let never: HashSet<_> = UNREACHABLE.iter().map(|(error, _)| *error).collect();
    // Creating an instance or a channel object is not a call of the service.
    let enums = ErrorEnum::ALL
        .iter()
        .filter(|e| !matches!(e, ErrorEnum::Init | ErrorEnum::Create));
    let mut known = 0;
    for error in enums
        .flat_map(|e| e.members())
        .filter(|e| e.name() != "NOT_INITIALIZED")
    {
        let name = format!("{}.{}", error.error_enum().name(), error.name());
        let lists = [&reached, &elsewhere, &never]
            .iter()
            .filter(|list| list.contains(name.as_str()))
            .count();
        assert_eq!(lists, 1, "{name} must be in one list");
        known += 1;
    }
    assert_eq!(
        known,
        reached.len() + elsewhere.len() + never.len(),
        "a list names an error that does not exist"
    );
}

#[test]
fn only_attributes_and_invitations_are_checked_before_the_login() {
    check(
        "
        new setLocalUserAttributes {\"k\":\"v\"}
        - new setLocalUserAttributes ATTRIBUTE_OPERATION.USER_NOT_LOGGED_IN
        new setLocalUserAttributes {}
        - new setLocalUserAttributes ATTRIBUTE_OPERATION.INVALID_ARGUMENT
        new sendMessage room *32769
        - new sendMessage CHANNEL_MESSAGE.USER_NOT_LOGGED_IN
        ",
    );
}
