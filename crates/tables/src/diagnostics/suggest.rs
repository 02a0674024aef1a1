//! "Did you mean …?" suggestions.

/// Returns the candidate closest to `name`, if it is similar enough for a typing error: one edit in
/// three characters. An edit inserts, deletes, replaces or swaps; case does not count. The first of
/// equals is returned.
pub fn suggest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let allowed = (name.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                edits(&name, &candidate.to_lowercase().chars().collect::<Vec<_>>()),
                candidate,
            )
        })
        .filter(|&(distance, candidate)| distance <= allowed && distance < candidate.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the number of edits between two texts (optimal string alignment).
fn edits(a: &[char], b: &[char]) -> usize {
    let mut two_up = Vec::new();
    let mut up: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = up[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(up[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(two_up[j - 2] + 1);
            }
            row.push(best);
        }
        two_up = std::mem::replace(&mut up, row);
    }
    up[b.len()]
}
