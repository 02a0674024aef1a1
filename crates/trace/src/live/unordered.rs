//! Normalization of lists without order: channel members.
//!
//! They are recognized by form: a list of pairs that begin with a name, or parallel lists of equal length, the columns
//! of a table (`accounts` and `uids`).

use rtm::value::{Text, Value};

/// Sorts such lists, at every depth.
pub fn unordered(value: &mut Value) {
    match value {
        Value::List(items) => {
            items.iter_mut().for_each(unordered);
            let is_pair = |item: &Value| matches!(item.as_list(), Some([Value::Text(_), second]) if is_plain(second));
            if items.iter().all(is_pair) {
                items.sort_by_key(Value::to_json);
            }
        }
        Value::Map(entries) => {
            entries.iter_mut().for_each(|(_, item)| unordered(item));
            sort_table(entries);
        }
        _ => {}
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_))
}

fn sort_table(entries: &mut [(Text, Value)]) {
    let is_column = |value: &&mut Value| value.as_list().is_some_and(|items| items.iter().all(is_plain));
    let mut columns: Vec<&mut Value> = entries.iter_mut().map(|(_, value)| value).filter(is_column).collect();
    let rows = columns
        .first()
        .and_then(|column| column.as_list())
        .map_or(0, <[Value]>::len);
    if columns.len() < 2
        || columns
            .iter()
            .any(|column| column.as_list().map(<[Value]>::len) != Some(rows))
    {
        return;
    }
    let key = |row: &usize| -> String {
        columns
            .iter()
            .map(|c| c.as_list().map_or(String::new(), |c| c[*row].to_json()))
            .collect()
    };
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_cached_key(key);
    for column in &mut columns {
        let items = column.as_list().unwrap_or_default();
        **column = Value::List(order.iter().map(|row| items[*row].clone()).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, same: bool) {
        let sorted = |text| {
            let mut value = Value::from_json(text).expect("JSON");
            unordered(&mut value);
            value
        };
        assert_eq!(sorted(a) == sorted(b), same, "{a} {b}");
    }

    #[test]
    fn members_have_no_order_and_all_else_has() {
        check(r#"{"list":[["a",1],["b",2]]}"#, r#"{"list":[["b",2],["a",1]]}"#, true);
        check(r#"{"list":[["a",1],["b",2]]}"#, r#"{"list":[["b",1],["a",2]]}"#, false);
        check(r#"{"x":["a","b"],"y":[1,2]}"#, r#"{"x":["b","a"],"y":[2,1]}"#, true);
        check(r#"{"x":["a","b"],"y":[1,2]}"#, r#"{"x":["b","a"],"y":[1,2]}"#, false);
        check(r#"{"x":["a","b"]}"#, r#"{"x":["b","a"]}"#, false);
        check(r#"[[1,"a"],[2,"b"]]"#, r#"[[2,"b"],[1,"a"]]"#, false);
        check(r#"[]"#, r#"[]"#, true);
    }
}
