use super::*;

#[test]
fn lists_keep_their_order() {
    assert_eq!(parse("chat").unwrap(), ["chat"]);
    assert_eq!(parse("b,a").unwrap(), ["b", "a"]);
    assert_eq!(parse("foo \t,\t bar").unwrap(), ["foo", "bar"]);
    assert_eq!(
        parse("v1.x, !#$%&'*+-.^_`|~").unwrap(),
        ["v1.x", "!#$%&'*+-.^_`|~"]
    );
}

#[test]
fn malformed_lists_have_the_texts_of_ws() {
    let table = [
        ("", "Unexpected end of input"),
        ("a,", "Unexpected end of input"),
        ("a, ", "Unexpected end of input"),
        ("a ", "Unexpected end of input"),
        (" a", "Unexpected character at index 0"),
        (",a", "Unexpected character at index 0"),
        ("a,,b", "Unexpected character at index 2"),
        ("a b", "Unexpected character at index 2"),
        ("a;b", "Unexpected character at index 1"),
        ("é", "Unexpected character at index 0"),
        ("a, é", "Unexpected character at index 3"),
        ("foo, bar, foo", "The \"foo\" subprotocol is duplicated"),
        ("foo,foo,bar", "The \"foo\" subprotocol is duplicated"),
    ];
    for (header, text) in table {
        assert_eq!(parse(header).unwrap_err().to_string(), text, "{header:?}");
    }
}

#[test]
fn names_are_tokens() {
    assert!(is_valid("chat.v1"));
    assert!(!is_valid("") && !is_valid("a,b") && !is_valid("a b"));
}

#[test]
fn many_names_are_parsed_in_linear_time() {
    let header = (0..200_000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(parse(&header).unwrap().len(), 200_000);
}
