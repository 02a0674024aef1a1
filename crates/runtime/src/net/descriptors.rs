//! Limit of file descriptors; each connection uses one.

/// Raises the soft limit to the hard limit; returns the new limit if the system has one.
#[cfg(unix)]
pub fn raise_descriptors() -> Option<usize> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    // The system may reject its own hard limit; the soft limit then stays.
    let now = if setrlimit(Resource::Nofile, limit).is_ok() {
        limit.maximum
    } else {
        soft
    };
    now.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn raise_descriptors() -> Option<usize> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_hard_one_afterwards() {
        use rustix::process::{Resource, getrlimit};
        let limit = raise_descriptors();
        let (now, most) = (getrlimit(Resource::Nofile).current, getrlimit(Resource::Nofile).maximum);
        assert_eq!(now, most);
        assert_eq!(limit, most.map(|most| usize::try_from(most).unwrap()));
    }
}
