//! Alignment of two sequences: equal parts first, then similar ones.

use std::collections::{HashMap, VecDeque};

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Pair, or unpaired item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    /// Positions in both.
    Both(usize, usize),
    Left(usize),
    Right(usize),
}

/// Longer sequences are aligned by window, since alignment costs length times difference.
const WINDOW: usize = 20_000;

/// Aligns two sequences by keys, from finest to coarsest. With `moved`, items equal in a key other than the coarsest
/// are paired out of order. The result follows the first sequence; items only in the second follow their predecessor
/// there.
pub(crate) fn align<T>(a: &[T], b: &[T], levels: &[fn(&T) -> &str], moved: bool) -> Vec<Pair> {
    let mut work = Work {
        left: vec![None; a.len()],
        right: vec![None; b.len()],
    };
    for (at, level) in levels.iter().enumerate() {
        for (left, right) in work.regions() {
            work.in_order(a, b, &left, &right, *level);
        }
        if moved && at + 1 < levels.len() {
            work.across(a, b, *level);
        }
    }
    work.pairs()
}

struct Work {
    left: Vec<Option<usize>>,
    right: Vec<Option<usize>>,
}

impl Work {
    /// Returns the unpaired runs between pairs that are in order on both sides.
    fn regions(&self) -> Vec<(Vec<usize>, Vec<usize>)> {
        let mut regions = vec![(Vec::new(), Vec::new())];
        let mut next = 0;
        let rest = |from: usize, to: usize| (from..to).filter(|&j| self.right[j].is_none());
        for (i, partner) in self.left.iter().enumerate() {
            match *partner {
                None => regions.last_mut().into_iter().for_each(|(left, _)| left.push(i)),
                Some(j) if j >= next => {
                    regions
                        .last_mut()
                        .into_iter()
                        .for_each(|(_, right)| right.extend(rest(next, j)));
                    regions.push((Vec::new(), Vec::new()));
                    next = j + 1;
                }
                Some(_) => {}
            }
        }
        regions
            .last_mut()
            .into_iter()
            .for_each(|(_, right)| right.extend(rest(next, self.right.len())));
        regions.retain(|(left, right)| !left.is_empty() && !right.is_empty());
        regions
    }

    fn in_order<T>(&mut self, a: &[T], b: &[T], left: &[usize], right: &[usize], key: fn(&T) -> &str) {
        // Numbers compare faster than texts.
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut number = |text| {
            let next = numbers.len();
            *numbers.entry(text).or_insert(next)
        };
        let x: Vec<usize> = left.iter().map(|&i| number(key(&a[i]))).collect();
        let y: Vec<usize> = right.iter().map(|&j| number(key(&b[j]))).collect();
        let windows = x.len().max(y.len()).div_ceil(WINDOW);
        for at in 0..windows {
            let window = |keys: &[usize]| (at * WINDOW).min(keys.len())..((at + 1) * WINDOW).min(keys.len());
            let (in_x, in_y) = (window(&x), window(&y));
            for op in capture_diff_slices(Algorithm::Myers, &x[in_x.clone()], &y[in_y.clone()]) {
                let DiffOp::Equal {
                    old_index,
                    new_index,
                    len,
                } = op
                else {
                    continue;
                };
                for n in 0..len {
                    self.pair(left[in_x.start + old_index + n], right[in_y.start + new_index + n]);
                }
            }
        }
    }

    fn across<T>(&mut self, a: &[T], b: &[T], key: fn(&T) -> &str) {
        let mut waiting: HashMap<&str, VecDeque<usize>> = HashMap::new();
        for (j, _) in self.right.iter().enumerate().filter(|(_, partner)| partner.is_none()) {
            waiting.entry(key(&b[j])).or_default().push_back(j);
        }
        for (i, item) in a.iter().enumerate() {
            if self.left[i].is_none()
                && let Some(j) = waiting.get_mut(key(item)).and_then(VecDeque::pop_front)
            {
                self.pair(i, j);
            }
        }
    }

    fn pair(&mut self, i: usize, j: usize) {
        self.left[i] = Some(j);
        self.right[j] = Some(i);
    }

    fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::with_capacity(self.left.len().max(self.right.len()));
        let mut next = 0;
        let mut unmatched = |upto: usize, pairs: &mut Vec<Pair>| {
            while next < upto {
                if self.right[next].is_none() {
                    pairs.push(Pair::Right(next));
                }
                next += 1;
            }
        };
        for (i, partner) in self.left.iter().enumerate() {
            match *partner {
                Some(j) => {
                    unmatched(j, &mut pairs);
                    pairs.push(Pair::Both(i, j));
                }
                None => pairs.push(Pair::Left(i)),
            }
        }
        unmatched(self.right.len(), &mut pairs);
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words: equal if identical, similar if they share the first letter.
    fn check(a: &str, b: &str, moved: bool, expected: &str) {
        let (a, b): (Vec<&str>, Vec<&str>) = (a.split(' ').collect(), b.split(' ').collect());
        let pairs = align(&a, &b, &[|word| word, |word| &word[..1]], moved);
        let shown = pairs.into_iter().map(|pair| match pair {
            Pair::Both(i, j) if a[i] == b[j] => a[i].to_owned(),
            Pair::Both(i, j) => format!("{}/{}", a[i], b[j]),
            Pair::Left(i) => format!("-{}", a[i]),
            Pair::Right(j) => format!("+{}", b[j]),
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{a:?} {b:?}");
    }

    #[test]
    fn the_same_first_then_the_alike() {
        check("a b c", "a b c", false, "a b c");
        check("a b c", "a c", false, "a -b c");
        check("a c", "a b c", false, "a +b c");
        check("a1 b c", "a2 b c", false, "a1/a2 b c");
        check("x1 x2 x3", "x2 x3", false, "-x1 x2 x3");
        check("a b", "b a", true, "a b");
        check("a b", "b a", false, "+b a -b");
        check("a1 b a2", "b a2 a9", true, "-a1 b a2 +a9");
    }
}
