//! Noise filter: differences between two recordings of the same side.

use std::collections::HashSet;

use rtm::value::Text;

use crate::diff::{CauseDiff, Diff, OutputDiff};

/// Differences to ignore.
#[derive(Clone, Debug, Default)]
pub struct Noise {
    /// Paths in outputs, with the kinds of cause and output.
    paths: HashSet<(String, String, String)>,
    /// Outputs in only one recording, with account and kind of cause.
    unmatched: HashSet<(Text, String, String)>,
}

impl Noise {
    /// Collects the differences of two recordings of the same side.
    pub fn of(diff: &Diff) -> Self {
        let mut noise = Self::default();
        for session in &diff.sessions {
            for cause in &session.causes {
                for output in &cause.outputs {
                    if output.expected.is_some() && output.got.is_some() {
                        noise
                            .paths
                            .extend(output.changes.iter().map(|change| path(cause, output, &change.path)));
                    } else {
                        noise.unmatched.insert(unmatched(&session.account, cause, output));
                    }
                }
            }
        }
        noise
    }

    /// Removes the noise from a comparison; returns the number of removed differences.
    pub fn remove_from(&self, diff: &mut Diff) -> usize {
        let mut removed = 0;
        for session in &mut diff.sessions {
            let account = session.account.clone();
            for cause in &mut session.causes {
                let mut outputs = std::mem::take(&mut cause.outputs);
                outputs.retain_mut(|output| {
                    if output.expected.is_none() || output.got.is_none() {
                        let is_noise = self.unmatched.contains(&unmatched(&account, cause, output));
                        removed += usize::from(is_noise);
                        return !is_noise;
                    }
                    let before = output.changes.len();
                    let mut changes = std::mem::take(&mut output.changes);
                    changes.retain(|change| !self.paths.contains(&path(cause, output, &change.path)));
                    output.changes = changes;
                    removed += before - output.changes.len();
                    before == 0 || !output.changes.is_empty()
                });
                cause.outputs = outputs;
            }
            session.causes.retain(|cause| !cause.outputs.is_empty());
        }
        diff.sessions.retain(|session| !session.causes.is_empty());
        removed
    }
}

fn path(cause: &CauseDiff, output: &OutputDiff, path: &str) -> (String, String, String) {
    (cause.kind.clone(), output.kind.clone(), path.into())
}

fn unmatched(account: &Text, cause: &CauseDiff, output: &OutputDiff) -> (Text, String, String) {
    (account.clone(), cause.kind.clone(), output.key.clone())
}
